-- What users are told of, and the tickets that open their streams.

-- What happened, once for all who are told.
create table news (
    id         blob not null primary key,
    created_at text not null,
    event_type text not null,
    entity_id  blob not null,
    data       text not null
);
create index news_by_created on news (created_at);

create table notifications (
    -- In the order they were written.
    pos     integer primary key autoincrement,
    news_id blob not null references news (id),
    user_id blob not null references users (id),
    -- The number its reader knows it by. Given out once it is committed; null until then.
    seq     integer unique,
    read_at text,
    unique (news_id, user_id)
);
create index notifications_unnumbered on notifications (pos) where seq is null;
create index notifications_by_user on notifications (user_id, seq, news_id);
create index notifications_unread on notifications (user_id, seq, news_id) where read_at is null;

create table tickets (
    -- SHA-256 in hex.
    hash       text not null primary key,
    session_id blob not null references sessions (id) on delete cascade,
    expires_at text not null
);
create index tickets_by_session on tickets (session_id);
create index tickets_by_expiry on tickets (expires_at);
