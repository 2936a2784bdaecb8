-- What users are told of, and the tickets that open their streams.

-- What happened, once for all who are told.
create table news (
    id         uuid primary key,
    created_at timestamptz not null,
    event_type text        not null,
    entity_id  uuid        not null,
    data       text        not null
);
create index news_by_created on news (created_at);

create table notifications (
    -- In the order they were written, which need not be the order they were committed in.
    pos     bigint generated always as identity primary key,
    news_id uuid   not null references news (id),
    user_id uuid   not null references users (id),
    -- The number its reader knows it by. Given out by one at a time once it is committed, so that no smaller one
    -- appears behind a larger one; null until then.
    seq     bigint unique,
    read_at timestamptz,
    unique (news_id, user_id)
);
create index notifications_unnumbered on notifications (pos) where seq is null;
create index notifications_by_user on notifications (user_id, seq, news_id);
create index notifications_unread on notifications (user_id, seq, news_id) where read_at is null;

create table tickets (
    -- SHA-256 in hex.
    hash       text primary key,
    session_id uuid        not null references sessions (id) on delete cascade,
    expires_at timestamptz not null
);
create index tickets_by_session on tickets (session_id);
create index tickets_by_expiry on tickets (expires_at);
