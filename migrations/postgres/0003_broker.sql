-- The broker: what it is still to be told, and what it brought that cannot be taken.

-- A row leaves the outbox once it is published, so that the table holds what is waiting and nothing else.
drop index outbox_pending;
alter table outbox drop column published_at;
-- 'event' is in `data`; a 'dead_letter' is in its own table, under `entity_id`.
alter table outbox add column kind text not null default 'event' check (kind in ('event', 'dead_letter'));
create index outbox_by_entity on outbox (entity_id, seq);

create table dead_letters (
    id           uuid primary key,
    version      bigint      not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    status       text        not null check (status in ('open', 'replayed', 'discarded')),
    reason       text        not null,
    error        text        not null,
    routing_key  text        not null,
    message_id   text,
    content_type text,
    headers      jsonb       not null,
    size         bigint      not null,
    body         bytea       not null,
    -- SHA-256 in hex of what identifies the message; null where nothing does. Brought again, it stays one.
    identity     text unique
);
create index dead_letters_by_created on dead_letters (created_at, id);
create index dead_letters_by_status on dead_letters (status, created_at, id);

-- The outcome of an attempt is unknown.
alter table deliveries add column ambiguous boolean not null default false;
-- Someone is handing it over.
alter table deliveries add column claimed boolean not null default false;
