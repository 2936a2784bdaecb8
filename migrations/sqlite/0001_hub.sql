-- The hub's tables. The PostgreSQL twin of this file says the same in its own dialect.

create table users (
    id                 blob not null primary key,
    version            integer not null,
    created_at         text not null,
    updated_at         text not null,
    email              text not null,
    email_key          text not null unique,
    password_hash      text not null,
    role               text not null check (role in ('cso', 'manager', 'admin')),
    first_name         text not null,
    last_name          text not null,
    is_active          boolean not null,
    availability       text not null check (availability in ('online', 'away')),
    max_open_inquiries integer not null check (max_open_inquiries >= 0),
    skills             text not null
);
create index users_by_created on users (created_at, id);
create index users_by_role on users (role, created_at, id);

-- What assignment reads and locks, apart from users so that taking work does not change a user's version.
create table cso_loads (
    user_id          blob not null primary key references users (id),
    accepting        boolean not null,
    capacity         integer not null,
    open             integer not null check (open >= 0),
    last_assigned_at text
);

create table sessions (
    id            blob not null primary key,
    user_id       blob not null references users (id),
    created_at    text not null,
    expires_at    text not null,
    revoked_at    text,
    -- The rest belongs to refresh tokens where no Redis keeps them: SHA-256 in hex.
    refresh_hash  text,
    previous_hash text,
    rotated_at    text,
    retry_key     text
);
create index sessions_by_user on sessions (user_id) where revoked_at is null;
create index sessions_by_expiry on sessions (expires_at);

-- `seq` is what the full-text index refers to; an implicit rowid may change on VACUUM.
create table customers (
    seq         integer primary key,
    id          blob not null unique,
    version     integer not null,
    created_at  text not null,
    updated_at  text not null,
    deleted_at  text,
    first_name  text not null,
    last_name   text not null,
    email       text not null,
    email_key   text not null,
    phone       text,
    company     text,
    status      text not null check (status in ('active', 'inactive', 'suspended')),
    metadata    text not null,
    created_by  blob references users (id),
    assigned_to blob references users (id),
    search      text not null
);
-- A deleted customer's address is free for a new one.
create unique index customers_email_key on customers (email_key) where deleted_at is null;
create index customers_by_created on customers (created_at, id) where deleted_at is null;
create index customers_by_updated on customers (updated_at, id) where deleted_at is null;
create index customers_by_last_name on customers (last_name, id) where deleted_at is null;
create index customers_by_first_name on customers (first_name, id) where deleted_at is null;
create index customers_by_email on customers (email, id) where deleted_at is null;
create index customers_by_status on customers (status, created_at, id) where deleted_at is null;
create index customers_by_assignee on customers (assigned_to, created_at, id) where deleted_at is null;
-- `search` holds lower-case words between blanks; to this tokenizer whatever is not ASCII is part of a word.
create virtual table customers_search using fts5(search, content='customers', content_rowid='seq', prefix='2 3 4',
    tokenize='ascii');
create trigger customers_search_insert after insert on customers begin
    insert into customers_search(rowid, search) values (new.seq, new.search);
end;
create trigger customers_search_update after update of search on customers when old.search <> new.search begin
    insert into customers_search(customers_search, rowid, search) values ('delete', old.seq, old.search);
    insert into customers_search(rowid, search) values (new.seq, new.search);
end;
create trigger customers_search_delete after delete on customers begin
    insert into customers_search(customers_search, rowid, search) values ('delete', old.seq, old.search);
end;

-- `seq` is what the full-text index refers to; an implicit rowid may change on VACUUM.
create table inquiries (
    seq         integer primary key,
    id          blob not null unique,
    version     integer not null,
    created_at  text not null,
    updated_at  text not null,
    customer_id blob not null references customers (id),
    subject     text not null,
    message     text not null,
    status      text not null check (status in ('pending', 'in_progress', 'responded', 'closed')),
    priority    integer not null check (priority between 0 and 3),
    category    text not null,
    channel     text not null,
    external_id text,
    thread_id   text,
    assigned_to blob references users (id),
    assigned_at text,
    search      text not null
);
create index inquiries_by_created on inquiries (created_at, id);
create index inquiries_by_updated on inquiries (updated_at, id);
create index inquiries_by_subject on inquiries (subject, id);
create index inquiries_by_priority on inquiries (priority, id);
create index inquiries_by_status on inquiries (status, created_at, id);
create index inquiries_by_customer on inquiries (customer_id, created_at, id);
create index inquiries_by_assignee on inquiries (assigned_to, created_at, id);
create index inquiries_by_category on inquiries (category, created_at, id);
create index inquiries_by_channel on inquiries (channel, created_at, id);
-- The queue of unassigned work, in the order it is taken up.
create index inquiries_waiting on inquiries (priority desc, created_at, id)
    where status = 'pending' and assigned_to is null;
create virtual table inquiries_search using fts5(search, content='inquiries', content_rowid='seq', prefix='2 3 4',
    tokenize='ascii');
create trigger inquiries_search_insert after insert on inquiries begin
    insert into inquiries_search(rowid, search) values (new.seq, new.search);
end;
create trigger inquiries_search_update after update of search on inquiries when old.search <> new.search begin
    insert into inquiries_search(inquiries_search, rowid, search) values ('delete', old.seq, old.search);
    insert into inquiries_search(rowid, search) values (new.seq, new.search);
end;
create trigger inquiries_search_delete after delete on inquiries begin
    insert into inquiries_search(inquiries_search, rowid, search) values ('delete', old.seq, old.search);
end;

-- The conversation: what the customer wrote, and approved replies.
create table messages (
    id          blob not null primary key,
    created_at  text not null,
    inquiry_id  blob not null references inquiries (id),
    direction   text not null check (direction in ('inbound', 'outbound')),
    message     text not null,
    author_id   blob references users (id),
    response_id blob,
    external_id text
);
create index messages_by_inquiry on messages (inquiry_id, created_at, id);

create table assignments (
    id          blob not null primary key,
    created_at  text not null,
    inquiry_id  blob not null references inquiries (id),
    assignee_id blob references users (id),
    reason      text not null,
    actor_id    blob references users (id),
    candidates  text not null
);
create index assignments_by_inquiry on assignments (inquiry_id, created_at, id);

create table responses (
    id             blob not null primary key,
    version        integer not null,
    created_at     text not null,
    updated_at     text not null,
    inquiry_id     blob not null references inquiries (id),
    message        text not null,
    revision       integer not null,
    status         text not null check (status in
        ('draft', 'pending_approval', 'approved', 'rejected', 'sent', 'delivery_failed')),
    responded_by   blob not null references users (id),
    editors        text not null,
    approved_by    blob references users (id),
    approval_notes text,
    submitted_at   text,
    decided_at     text,
    sent_at        text,
    delivery_error text
);
create index responses_by_created on responses (created_at, id);
create index responses_by_updated on responses (updated_at, id);
create index responses_by_status on responses (status, created_at, id);
create index responses_by_inquiry on responses (inquiry_id, created_at, id);
create index responses_by_author on responses (responded_by, created_at, id);
create index responses_by_approver on responses (approved_by, created_at, id);
create index responses_by_decision on responses (decided_at) where decided_at is not null;

create table response_history (
    id          blob not null primary key,
    created_at  text not null,
    response_id blob not null references responses (id),
    action      text not null,
    revision    integer not null,
    message     text,
    notes       text,
    actor_id    blob references users (id)
);
create index response_history_by_response on response_history (response_id, created_at, id);

create table audit_log (
    id          blob not null primary key,
    created_at  text not null,
    action      text not null,
    entity_type text not null,
    entity_id   blob not null,
    actor_id    blob,
    request_id  text,
    changes     text not null
);
create index audit_log_by_created on audit_log (created_at, id);
create index audit_log_by_entity on audit_log (entity_id, created_at, id);
create index audit_log_by_actor on audit_log (actor_id, created_at, id);

-- Transactional outbox: an event is in here if and only if its change committed.
create table outbox (
    seq          integer primary key autoincrement,
    id           blob not null unique,
    created_at   text not null,
    event_type   text not null,
    entity_id    blob not null,
    data         text not null,
    published_at text
);
create index outbox_pending on outbox (seq) where published_at is null;

create table idempotency_keys (
    -- SHA-256 of caller, method, path and key, in hex.
    scope       text not null primary key,
    -- SHA-256 of the body, in hex.
    fingerprint text not null,
    -- Who may settle it.
    token       blob not null,
    created_at  text not null,
    -- An unsettled key whose holder died may be taken over from then on.
    held_until  text not null,
    status      integer,
    body        text
);
create index idempotency_keys_by_created on idempotency_keys (created_at);
