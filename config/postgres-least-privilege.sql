-- A role for the hub that can do what it must and no more: it reads and writes rows, but cannot change the schema, and
-- the audit trail it can only read and add to.
--
-- The database belongs to another role, with which the schema is brought up to date:
--
--   create role nexus_app login password '...';
--   DATABASE_URL=postgres://OWNER:...@HOST/nexus nexus-hub migrate
--   psql -f config/postgres-least-privilege.sql postgres://OWNER:...@HOST/nexus
--
-- and the hub serves with DATABASE_URL=postgres://nexus_app:...@HOST/nexus. Run it again whenever you like. Before a
-- hub of a newer version serves, `nexus-hub migrate` has to run as the owner; this script need not.

begin;

revoke create on schema public from public;
grant usage on schema public to nexus_app;
grant select, insert, update, delete on all tables in schema public to nexus_app;
-- Those of later versions, which the same owner makes.
alter default privileges in schema public grant select, insert, update, delete on tables to nexus_app;

revoke update, delete on audit_log, audit_seals from nexus_app;
revoke insert, update, delete on _sqlx_migrations from nexus_app;

commit;
