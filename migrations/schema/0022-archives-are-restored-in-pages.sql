-- restore_archived_clicks() takes a page of lines as one text.
-- Earlier versions may run against this schema, except for their `clicktally archive import`.

drop function if exists restore_archived_clicks(int, text, timestamptz, text[]);
