-- The policy that applied when a response was submitted, what it asked for, and the approvals given since.
alter table responses add column policy text;
alter table responses add column approvals_required bigint not null default 1;
alter table responses add column approvals jsonb not null default '[]';
alter table responses add column sampled boolean not null default false;
create index responses_picked on responses (inquiry_id) where sampled;
