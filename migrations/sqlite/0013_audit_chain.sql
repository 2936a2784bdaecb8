-- The audit trail can be added to and nothing else, and is chained by hash (actors/src/store/audit/chain.rs).

-- Links of the chain. No foreign key: a link outlives its entry, so that it can be told that one is gone.
create table audit_seals (
    number   integer not null primary key,
    entry_id blob    not null unique,
    -- SHA-256 in hex.
    hash     text    not null
);

-- Entries without a link so far, written with them.
create table audit_unsealed (
    entry_id blob not null primary key
);
insert into audit_unsealed (entry_id) select id from audit_log;

create trigger audit_log_waits after insert on audit_log begin
    insert into audit_unsealed (entry_id) values (new.id);
end;

create trigger audit_log_never_updated before update on audit_log begin
    select raise(abort, 'the audit trail is append-only');
end;
create trigger audit_log_never_deleted before delete on audit_log begin
    select raise(abort, 'the audit trail is append-only');
end;
-- `insert or replace` deletes without a word to the trigger above.
create trigger audit_log_never_replaced before insert on audit_log
    when exists (select 1 from audit_log where id = new.id) begin
    select raise(abort, 'the audit trail is append-only');
end;
create trigger audit_seals_never_updated before update on audit_seals begin
    select raise(abort, 'the audit trail is append-only');
end;
create trigger audit_seals_never_deleted before delete on audit_seals begin
    select raise(abort, 'the audit trail is append-only');
end;
create trigger audit_seals_never_replaced before insert on audit_seals
    when exists (select 1 from audit_seals where number = new.number or entry_id = new.entry_id) begin
    select raise(abort, 'the audit trail is append-only');
end;
