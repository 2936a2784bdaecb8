-- Endpoints that are told of events by HTTP, and what they were told.

create table webhooks (
    id              blob not null primary key,
    version         integer not null,
    created_at      text not null,
    updated_at      text not null,
    deleted_at      text,
    url             text not null,
    -- A list of types of events, or of '*'.
    events          text not null,
    description     text,
    is_enabled      boolean not null,
    disabled_reason text,
    failing_since   text,
    -- In clear, as they sign: the newest, and those still in use beside it.
    secrets         text not null,
    created_by      blob not null references users (id)
);
create index webhooks_by_created on webhooks (created_at, id) where deleted_at is null;
-- Read by every commit that has something to tell.
create index webhooks_enabled on webhooks (id) where is_enabled;

-- One event for one endpoint.
create table webhook_messages (
    id              blob not null primary key,
    webhook_id      blob not null references webhooks (id),
    created_at      text not null,
    event_id        blob not null,
    event_type      text not null,
    -- What is sent, byte for byte.
    body            text not null,
    status          text not null check (status in ('pending', 'delivered', 'failed')),
    attempts        integer not null default 0,
    failures        integer not null default 0,
    -- While somebody is calling it: when they must have died over it. Null once it is not pending.
    next_attempt_at text
);
create index webhook_messages_due on webhook_messages (webhook_id, next_attempt_at, id)
    where next_attempt_at is not null;
create index webhook_messages_by_created on webhook_messages (created_at);

create table webhook_attempts (
    id              blob not null primary key,
    webhook_id      blob not null references webhooks (id),
    message_id      blob not null references webhook_messages (id),
    created_at      text not null,
    event_id        blob not null,
    event_type      text not null,
    attempt         integer not null,
    url             text not null,
    succeeded       boolean not null,
    response_status integer,
    response_body   text,
    error           text,
    duration_ms     integer not null,
    message_status  text not null,
    next_attempt_at text
);
create index webhook_attempts_by_webhook on webhook_attempts (webhook_id, created_at, id);
create index webhook_attempts_by_message on webhook_attempts (message_id);
create index webhook_attempts_by_created on webhook_attempts (created_at);
