-- Spread over three years, the oldest first. Most of what is old is closed; one inquiry in 400 is open. Firms have
-- numbers of one width: a search for one, which asks for what begins like it, finds no other.
set synchronous_commit = off;

create temporary table csos as
    select id, row_number() over (order by id) - 1 as nth, count(*) over () as all_csos from users where role = 'cso';
create temporary table managers as
    select id, row_number() over (order by id) - 1 as nth, count(*) over () as all_managers
    from users where role = 'manager';

insert into customers (id, version, created_at, updated_at, first_name, last_name, email, email_key, phone, company,
    status, metadata, created_by, assigned_to, search)
select ('01890000-0000-7001-8000-' || lpad(n::text, 12, '0'))::uuid, 1, at, at,
    first_name, last_name, email, email, '+44 20 7946 0' || lpad((n % 1000)::text, 3, '0'), company,
    case n % 20 when 0 then 'inactive' when 1 then 'suspended' else 'active' end, '{"plan": "pro"}',
    null, case when n % 2 = 0 then c.id end,
    lower(concat_ws(' ', company_word, 'com', 'example', 'ltd', first_name, last_name, 'c' || n))
from (
    select n, date_trunc('milliseconds', now() - interval '3 years' * (1 - n::float / :customers)) as at,
        (array['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan', 'Radia', 'Ken', 'Frances'])[1 + n % 8] as first_name,
        'Family' || (n * 7919 % 1000) as last_name, 'c' || n || '@example.com' as email,
        'Firm' || firm || ' Ltd' as company, 'firm' || firm as company_word
    from generate_series(0::bigint, :customers - 1) n, lpad((n / 25)::text, 7, '0') firm) made
join csos c on c.nth = n % c.all_csos;

insert into inquiries (id, version, created_at, updated_at, customer_id, subject, message, status, priority, category,
    channel, assigned_to, assigned_at, search)
select ('01890000-0000-7002-8000-' || lpad(n::text, 12, '0'))::uuid, 3, at, at + interval '1 hour',
    ('01890000-0000-7001-8000-' || lpad((n * 7919 % :customers)::text, 12, '0'))::uuid,
    'Where is order ' || n || '?',
    repeat('My order was due on Monday and the tracking page has not changed since. ', 4),
    case when n % 400 <> 0 then (array['closed', 'closed', 'closed', 'responded'])[1 + n % 4]
        when n % 800 = 0 then 'pending' else 'in_progress' end,
    n % 4, (array['general', 'shipping', 'billing', 'returns'])[1 + n / 4 % 4],
    (array['email', 'chat', 'api'])[1 + n % 3], c.id, at,
    'and changed due has is monday my not on order page since the tracking was where ' || n
from (
    select n, date_trunc('milliseconds', now() - interval '3 years' * (1 - n::float / :inquiries)) as at
    from generate_series(0::bigint, :inquiries - 1) n) made
join csos c on c.nth = n % c.all_csos;

insert into messages (id, created_at, inquiry_id, direction, message)
select ('01890000-0000-7004-8000' || right(id::text, 13))::uuid, created_at, id, 'inbound', message from inquiries;

insert into responses (id, version, created_at, updated_at, inquiry_id, message, revision, status, responded_by,
    editors, approved_by, submitted_at, decided_at, sent_at, reminded_at, escalated_at)
select ('01890000-0000-7003-8000-' || lpad(n::text, 12, '0'))::uuid, 4, at, at + interval '20 minutes',
    ('01890000-0000-7002-8000-' || lpad((n % :inquiries)::text, 12, '0'))::uuid,
    repeat('It left our warehouse this morning and should be with you tomorrow. ', 4), 1,
    case n % 3000 when 0 then 'draft' when 1 then 'pending_approval' else 'sent' end,
    c.id, jsonb_build_array(c.id), case when n % 3000 > 1 then m.id end,
    case when n % 3000 > 0 then at + interval '5 minutes' end,
    case when n % 3000 > 1 then at + interval '15 minutes' end,
    case when n % 3000 > 1 then at + interval '20 minutes' end,
    -- Or everybody would be reminded of them at the start.
    at, at
from (
    select n, date_trunc('milliseconds', now() - interval '3 years' * (1 - n::float / :responses)) as at
    from generate_series(0::bigint, :responses - 1) n) made
join csos c on c.nth = n % c.all_csos
join managers m on m.nth = n % m.all_managers;

-- Room for everything that is measured to be assigned.
update users set max_open_inquiries = 1000000000 where role = 'cso';
update cso_loads l set capacity = 1000000000, open = (
    select count(*) from inquiries i where i.assigned_to = l.user_id and i.status in ('pending', 'in_progress'));

-- For pgbench: whom it assigns to, and what it writes in place of what the hub makes of an entity.
create table ceiling_csos as select id, nth from csos;
create unique index on ceiling_csos (nth);
create table ceiling (id bigint primary key generated always as identity, body text not null);
