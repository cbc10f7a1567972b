-- A producer is finished when it owes nothing, none of its messages is left in `messages`, and it is over: its successor has
-- told how it ended, or nothing was heard of it for an hour. Its sums are in ledger_totals then, and nobody has to look at it;
-- its row stays, by which a message that is delivered again is known. If something new is heard of it, it is opened again.
alter table producers
  add column finished boolean not null default false,
  add column last_heard_at timestamptz not null default clock_timestamp();

create index producers_open on producers (producer) where not finished;

-- Messages that were folded before a report said what became of them, since their producer was over: their clicks are in its
-- sums, but not among those that it has reported as confirmed.
create table unsettled_messages (
  producer uuid not null,
  sequence bigint not null,
  clicks int not null,
  primary key (producer, sequence)
);

-- The sums of all finished producers. Whoever folds the ledger, or keeps others from it, holds the lock of this row.
create table ledger_totals (
  only_row boolean primary key default true check (only_row),
  clicks bigint not null default 0,
  counted bigint not null default 0,
  duplicates bigint not null default 0
);
insert into ledger_totals default values;
