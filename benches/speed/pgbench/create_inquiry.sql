-- What the hub has in the transaction that makes an inquiry and assigns it, statement by statement.
-- Ids count up for each client, as the hub's do with time.
\set counter :counter + 1
\set n :run * 100000000000 + :client_id * 100000000 + :counter
\set customer random(0, 100000 * :scale - 1)
\set cso random(0, 49)
begin;
insert into inquiries (id, version, created_at, updated_at, customer_id, subject, message, status, priority, category,
    channel, external_id, thread_id, assigned_to, assigned_at, search)
    values (('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, 1, now(), now(), ('01890000-0000-7001-8000-' || lpad(:customer::text, 12, '0'))::uuid,
    'Where is my order?', repeat('My order was due on Monday and the tracking page has not changed since. ', 4),
    'pending', 1, 'general', 'api', null, null, (select id from ceiling_csos where nth = :cso), now(),
    'and changed due has is monday my not on order page since the tracking was where');
update cso_loads set open = open + 1, last_assigned_at = now()
    where user_id = (select id from ceiling_csos where nth = :cso) and accepting and open + 1 <= capacity;
insert into messages (id, created_at, inquiry_id, direction, message, author_id, response_id, external_id, metadata)
    values (('01a30000-0000-7011-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, 'inbound', repeat('My order was due on Monday and the tracking page has not changed since. ', 4), null, null, null, null);
insert into rosters (id, candidates)
    values (('01a30000-0000-7012-8000-' || lpad(:n::text, 12, '0'))::uuid, (select jsonb_agg(jsonb_build_object('userId', id, 'finding', 'busier', 'openInquiries', nth,
        'maxOpenInquiries', 20)) from ceiling_csos));
insert into assignments (id, created_at, inquiry_id, assignee_id, reason, actor_id, roster_id)
    values (('01a30000-0000-7013-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, (select id from ceiling_csos where nth = :cso), 'lowest_load', null, ('01a30000-0000-7012-8000-' || lpad(:n::text, 12, '0'))::uuid);
insert into audit_log (id, created_at, action, entity_type, entity_id, actor_id, request_id, changes)
    values (('01a30000-0000-7014-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', 'inquiry', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, null, null, ('{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}')::jsonb);
insert into audit_log (id, created_at, action, entity_type, entity_id, actor_id, request_id, changes)
    values (('01a30000-0000-7015-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', 'inquiry', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, null, null, ('{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}')::jsonb);
insert into news (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-7016-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
insert into notifications (news_id, user_id) values (('01a30000-0000-7016-8000-' || lpad(:n::text, 12, '0'))::uuid, (select id from ceiling_csos where nth = :cso));
insert into outbox (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-7017-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
insert into outbox (id, created_at, event_type, entity_id, data)
    values (('01a30000-0000-7018-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'made', ('01a30000-0000-7010-8000-' || lpad(:n::text, 12, '0'))::uuid, '{"made": "' || repeat('an entity as it is told, with its ids and times and texts ', 10) || '"}');
select * from webhooks where is_enabled;
commit;
