-- Keeps the expiry that an owner chose for a key apart from the end of its overlap. Before, a key that was rotated twice, for example when the
-- answer to the first request was lost, gave its second replacement the end of the overlap, after which that stopped working.
-- Earlier versions may run against this schema: they do not know the column, and rotate as before. Of keys that they rotated, the end of
-- the overlap is taken for the expiry.

-- Of a key that was rotated: the expiry of its replacements. infinity: none. expires_at has the end of the overlap.
alter table keys add column replacement_expires_at timestamptz;
grant update (replacement_expires_at) on keys to clicktally_auth;
