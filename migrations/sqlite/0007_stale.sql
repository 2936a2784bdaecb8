-- The customer has written again since the response was submitted.
alter table responses add column stale boolean not null default false;
