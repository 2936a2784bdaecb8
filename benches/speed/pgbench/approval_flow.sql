-- What the hub has in the three transactions that draft, submit and approve a response, statement by statement.
-- Ids count up for each client, as the hub's do with time.
\set counter :counter + 1
\set n :run * 100000000000 + :client_id * 100000000 + :counter
\set inquiry random(0, 300000 * :scale / 4 - 1) * 4 + 3
\set cso random(0, 49)
begin;
insert into responses (id, version, created_at, updated_at, inquiry_id, message, revision, status, responded_by, editors)
    values (('01a30000-0000-7020-8000-' || lpad(:n::text, 12, '0'))::uuid, 1, now(), now(), ('01890000-0000-7002-8000-' || lpad(:inquiry::text, 12, '0'))::uuid, repeat('It left our warehouse this morning and should be with you tomorrow. ', 4), 1, 'draft', (select id from ceiling_csos where nth = :cso), '[]');
insert into response_history (id, created_at, response_id, action, revision, message, notes, actor_id)
    values (('01a30000-0000-7021-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), ('01a30000-0000-7020-8000-' || lpad(:n::text, 12, '0'))::uuid, 'made', 1, repeat('It left our warehouse this morning and should be with you tomorrow. ', 4), null, (select id from ceiling_csos where nth = :cso));
insert into audit_log (id, created_at, action, entity_type, entity_id, actor_id, request_id, changes)
    values (('01a30000-0000-7022-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', 'inquiry', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, null, null, ('{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}')::jsonb);
insert into outbox (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-7023-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
select * from webhooks where is_enabled;
commit;
begin;
update responses set version = version + 1, updated_at = now(), message = repeat('It left our warehouse this morning and should be with you tomorrow. ', 4),
    revision = 1, status = 'pending_approval', editors = '[]', approved_by = null, approval_notes = null, submitted_at = now(),
    decided_at = null, sent_at = null, delivery_error = null, stale = false, policy = null, approvals_required = 1,
    approvals = '[]', sampled = false where id = ('01a30000-0000-7020-8000-' || lpad(:n::text, 12, '0'))::uuid;
insert into response_history (id, created_at, response_id, action, revision, message, notes, actor_id)
    values (('01a30000-0000-7024-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), ('01a30000-0000-7020-8000-' || lpad(:n::text, 12, '0'))::uuid, 'made', 1, null, null, (select id from ceiling_csos where nth = :cso));
select 1 from inquiries where id = ('01890000-0000-7002-8000-' || lpad(:inquiry::text, 12, '0'))::uuid for share;
insert into audit_log (id, created_at, action, entity_type, entity_id, actor_id, request_id, changes)
    values (('01a30000-0000-7025-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', 'inquiry', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, null, null, ('{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}')::jsonb);
insert into news (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-7026-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
insert into notifications (news_id, user_id, to_mail)
    select ('01a30000-0000-7026-8000-' || lpad(:n::text, 12, '0'))::uuid, id, false from users where role = 'manager' and is_active order by id;
insert into notifications (news_id, user_id, to_mail)
    select ('01a30000-0000-7026-8000-' || lpad(:n::text, 12, '0'))::uuid, id, false from users where role = 'admin' and is_active order by id;
insert into outbox (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-7027-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
select * from webhooks where is_enabled;
commit;
begin;
update responses set version = version + 1, updated_at = now(), message = repeat('It left our warehouse this morning and should be with you tomorrow. ', 4),
    revision = 1, status = 'approved', editors = '[]', approved_by = null, approval_notes = null, submitted_at = now(),
    decided_at = null, sent_at = null, delivery_error = null, stale = false, policy = null, approvals_required = 1,
    approvals = '[]', sampled = false where id = ('01a30000-0000-7020-8000-' || lpad(:n::text, 12, '0'))::uuid;
insert into response_history (id, created_at, response_id, action, revision, message, notes, actor_id)
    values (('01a30000-0000-7028-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), ('01a30000-0000-7020-8000-' || lpad(:n::text, 12, '0'))::uuid, 'made', 1, null, null, (select id from ceiling_csos where nth = :cso));
insert into messages (id, created_at, inquiry_id, direction, message, author_id, response_id, external_id, metadata)
    values (('01a30000-0000-7029-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), ('01890000-0000-7002-8000-' || lpad(:inquiry::text, 12, '0'))::uuid, 'outbound', repeat('It left our warehouse this morning and should be with you tomorrow. ', 4), (select id from ceiling_csos where nth = :cso), ('01a30000-0000-7020-8000-' || lpad(:n::text, 12, '0'))::uuid, null, null);
insert into first_responses (inquiry_id, asked_at, responded_at, author_id)
    select id, created_at, now(), null from inquiries where id = ('01890000-0000-7002-8000-' || lpad(:inquiry::text, 12, '0'))::uuid on conflict (inquiry_id) do nothing;
insert into deliveries (id, version, created_at, updated_at, response_id, inquiry_id, channel, message, status, attempts,
    next_attempt_at, last_error)
    values (('01a30000-0000-702a-8000-' || lpad(:n::text, 12, '0'))::uuid, 1, now(), now(), ('01a30000-0000-7020-8000-' || lpad(:n::text, 12, '0'))::uuid, ('01890000-0000-7002-8000-' || lpad(:inquiry::text, 12, '0'))::uuid, 'email', ('{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}')::jsonb, 'sent', 0, null, null);
update inquiries set version = version + 1, updated_at = now(), status = 'responded' where id = ('01890000-0000-7002-8000-' || lpad(:inquiry::text, 12, '0'))::uuid;
insert into audit_log (id, created_at, action, entity_type, entity_id, actor_id, request_id, changes)
    values (('01a30000-0000-702b-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', 'inquiry', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, null, null, ('{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}')::jsonb);
insert into audit_log (id, created_at, action, entity_type, entity_id, actor_id, request_id, changes)
    values (('01a30000-0000-702c-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', 'inquiry', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, null, null, ('{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}')::jsonb);
insert into news (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-702d-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
insert into notifications (news_id, user_id) values (('01a30000-0000-702d-8000-' || lpad(:n::text, 12, '0'))::uuid, (select id from ceiling_csos where nth = :cso));
insert into outbox (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-702e-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
insert into outbox (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-702f-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
select * from webhooks where is_enabled;
commit;
