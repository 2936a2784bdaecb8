-- Channels: what came in, what goes out, and who may bring and fetch it.

-- A message of a channel is taken in once, however often it is delivered.
create table inbox (
    channel     text not null,
    external_id text not null,
    inquiry_id  blob not null references inquiries (id),
    created_at  text not null,
    primary key (channel, external_id)
);
create index inquiries_by_thread on inquiries (channel, thread_id, customer_id) where thread_id is not null;

alter table messages add column metadata text;

-- One for each approval: exactly the revision that was approved, to be sent by the channel's gateway.
create table deliveries (
    id              blob not null primary key,
    version         integer not null,
    created_at      text not null,
    updated_at      text not null,
    response_id     blob not null references responses (id),
    inquiry_id      blob not null references inquiries (id),
    channel         text not null,
    -- As it is published, byte for byte.
    message         text not null,
    status          text not null check (status in ('pending', 'sent', 'failed')),
    attempts        integer not null,
    -- When to publish it; null while its gateway has it.
    next_attempt_at text,
    last_error      text
);
create index deliveries_by_created on deliveries (created_at, id);
create index deliveries_by_status on deliveries (status, created_at, id);
create index deliveries_by_response on deliveries (response_id);
create index deliveries_due on deliveries (next_attempt_at, id) where status = 'pending' and next_attempt_at is not null;

create table api_keys (
    id           blob not null primary key,
    version      integer not null,
    created_at   text not null,
    updated_at   text not null,
    name         text not null,
    scopes       text not null,
    -- The beginning, for people to tell keys apart.
    hint         text not null,
    -- SHA-256 in hex. The key has 256 random bits, so a slow hash would protect nothing more.
    key_hash     text not null unique,
    created_by   blob not null references users (id),
    last_used_at text,
    revoked_at   text
);
create index api_keys_by_created on api_keys (created_at, id) where revoked_at is null;
