-- The audit trail can be added to and nothing else, and is chained by hash (actors/src/store/audit/chain.rs).

-- Links of the chain. No foreign key: a link outlives its entry, so that it can be told that one is gone.
create table audit_seals (
    number   bigint primary key,
    entry_id uuid   not null unique,
    -- SHA-256 in hex.
    hash     text   not null
);

-- Entries without a link so far, written with them.
create table audit_unsealed (
    entry_id uuid primary key
);
insert into audit_unsealed (entry_id) select id from audit_log;

create function audit_entry_waits() returns trigger language plpgsql as $$
begin
    insert into audit_unsealed (entry_id) select id from fresh;
    return null;
end $$;
create trigger audit_log_waits after insert on audit_log referencing new table as fresh
    for each statement execute function audit_entry_waits();

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit trail is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_append_only before update or delete or truncate on audit_log
    for each statement execute function audit_is_append_only();
create trigger audit_seals_append_only before update or delete or truncate on audit_seals
    for each statement execute function audit_is_append_only();
