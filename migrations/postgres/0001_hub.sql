-- The hub's tables. The SQLite twin of this file says the same in its own dialect.
-- What lists sort by is compared byte by byte, as SQLite does: a server's locale must not change the order.

create table users (
    id                 uuid primary key,
    version            bigint      not null,
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    email              text collate "C" not null,
    email_key          text        not null constraint users_email_key unique,
    password_hash      text        not null,
    role               text        not null check (role in ('cso', 'manager', 'admin')),
    first_name         text collate "C" not null,
    last_name          text collate "C" not null,
    is_active          boolean     not null,
    availability       text        not null check (availability in ('online', 'away')),
    max_open_inquiries bigint      not null check (max_open_inquiries >= 0),
    skills             jsonb       not null
);
create index users_by_created on users (created_at, id);
create index users_by_role on users (role, created_at, id);

-- What assignment reads and locks, apart from users so that taking work does not change a user's version.
create table cso_loads (
    user_id          uuid primary key references users (id),
    accepting        boolean not null,
    capacity         bigint  not null,
    open             bigint  not null check (open >= 0),
    last_assigned_at timestamptz
);

create table sessions (
    id            uuid primary key,
    user_id       uuid        not null references users (id),
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    revoked_at    timestamptz,
    -- The rest belongs to refresh tokens where no Redis keeps them: SHA-256 in hex.
    refresh_hash  text,
    previous_hash text,
    rotated_at    timestamptz,
    retry_key     text
);
create index sessions_by_user on sessions (user_id) where revoked_at is null;
create index sessions_by_expiry on sessions (expires_at);

create table customers (
    id          uuid primary key,
    version     bigint      not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    deleted_at  timestamptz,
    first_name  text collate "C" not null,
    last_name   text collate "C" not null,
    email       text collate "C" not null,
    email_key   text        not null,
    phone       text,
    company     text,
    status      text collate "C" not null check (status in ('active', 'inactive', 'suspended')),
    metadata    jsonb       not null,
    created_by  uuid references users (id),
    assigned_to uuid references users (id),
    search      text        not null
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
create index customers_search on customers using gin (array_to_tsvector(string_to_array(search, ' ')));

create table inquiries (
    id          uuid primary key,
    version     bigint      not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    customer_id uuid        not null references customers (id),
    subject     text collate "C" not null,
    message     text        not null,
    status      text collate "C" not null check (status in ('pending', 'in_progress', 'responded', 'closed')),
    priority    smallint    not null check (priority between 0 and 3),
    category    text        not null,
    channel     text        not null,
    external_id text,
    thread_id   text,
    assigned_to uuid references users (id),
    assigned_at timestamptz,
    search      text        not null
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
create index inquiries_search on inquiries using gin (array_to_tsvector(string_to_array(search, ' ')));

-- The conversation: what the customer wrote, and approved replies.
create table messages (
    id          uuid primary key,
    created_at  timestamptz not null,
    inquiry_id  uuid        not null references inquiries (id),
    direction   text        not null check (direction in ('inbound', 'outbound')),
    message     text        not null,
    author_id   uuid references users (id),
    response_id uuid,
    external_id text
);
create index messages_by_inquiry on messages (inquiry_id, created_at, id);

create table assignments (
    id          uuid primary key,
    created_at  timestamptz not null,
    inquiry_id  uuid        not null references inquiries (id),
    assignee_id uuid references users (id),
    reason      text        not null,
    actor_id    uuid references users (id),
    candidates  jsonb       not null
);
create index assignments_by_inquiry on assignments (inquiry_id, created_at, id);

create table responses (
    id             uuid primary key,
    version        bigint      not null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    inquiry_id     uuid        not null references inquiries (id),
    message        text        not null,
    revision       bigint      not null,
    status         text collate "C" not null check (status in
        ('draft', 'pending_approval', 'approved', 'rejected', 'sent', 'delivery_failed')),
    responded_by   uuid        not null references users (id),
    editors        jsonb       not null,
    approved_by    uuid references users (id),
    approval_notes text,
    submitted_at   timestamptz,
    decided_at     timestamptz,
    sent_at        timestamptz,
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
    id          uuid primary key,
    created_at  timestamptz not null,
    response_id uuid        not null references responses (id),
    action      text        not null,
    revision    bigint      not null,
    message     text,
    notes       text,
    actor_id    uuid references users (id)
);
create index response_history_by_response on response_history (response_id, created_at, id);

create table audit_log (
    id          uuid primary key,
    created_at  timestamptz not null,
    action      text        not null,
    entity_type text        not null,
    entity_id   uuid        not null,
    actor_id    uuid,
    request_id  text,
    changes     jsonb       not null
);
create index audit_log_by_created on audit_log (created_at, id);
create index audit_log_by_entity on audit_log (entity_id, created_at, id);
create index audit_log_by_actor on audit_log (actor_id, created_at, id);

-- Transactional outbox: an event is in here if and only if its change committed.
create table outbox (
    seq          bigint generated always as identity primary key,
    id           uuid        not null unique,
    created_at   timestamptz not null,
    event_type   text        not null,
    entity_id    uuid        not null,
    data         jsonb       not null,
    published_at timestamptz
);
create index outbox_pending on outbox (seq) where published_at is null;

create table idempotency_keys (
    -- SHA-256 of caller, method, path and key, in hex.
    scope       text primary key,
    -- SHA-256 of the body, in hex.
    fingerprint text        not null,
    -- Who may settle it.
    token       uuid        not null,
    created_at  timestamptz not null,
    -- An unsettled key whose holder died may be taken over from then on.
    held_until  timestamptz not null,
    status      smallint,
    body        text
);
create index idempotency_keys_by_created on idempotency_keys (created_at);
