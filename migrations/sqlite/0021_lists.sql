-- Lists of one status in another order than that of creation. By an index of the order alone, whatever comes before and has
-- another status is read as well; where status and order go together, and for a status that few have, that is nearly the
-- whole table. By an index of status and order only the page is read.
create index customers_by_status_id on customers (status, id, assigned_to) where deleted_at is null;
create index customers_by_status_updated on customers (status, updated_at, id, assigned_to) where deleted_at is null;
create index customers_by_status_first_name on customers (status, first_name, id, assigned_to) where deleted_at is null;
create index customers_by_status_last_name on customers (status, last_name, id, assigned_to) where deleted_at is null;
create index customers_by_status_email on customers (status, email, id, assigned_to) where deleted_at is null;
create index inquiries_by_status_id on inquiries (status, id, assigned_to);
create index inquiries_by_status_updated on inquiries (status, updated_at, id, assigned_to);
create index inquiries_by_status_priority on inquiries (status, priority, id, assigned_to);
create index inquiries_by_status_subject on inquiries (status, subject, id, assigned_to);
create index responses_by_status_id on responses (status, id, responded_by);
create index responses_by_status_updated on responses (status, updated_at, id, responded_by);

-- Whose it is comes last in all of them: the rows of others are passed over in the index, without being read. A CSO sees
-- customers and responses of their own only, whatever the order.
drop index customers_by_updated;
drop index customers_by_first_name;
drop index customers_by_last_name;
drop index customers_by_email;
drop index inquiries_by_updated;
drop index inquiries_by_priority;
drop index inquiries_by_subject;
drop index responses_by_updated;
create index customers_by_updated on customers (updated_at, id, assigned_to) where deleted_at is null;
create index customers_by_first_name on customers (first_name, id, assigned_to) where deleted_at is null;
create index customers_by_last_name on customers (last_name, id, assigned_to) where deleted_at is null;
create index customers_by_email on customers (email, id, assigned_to) where deleted_at is null;
create index inquiries_by_updated on inquiries (updated_at, id, assigned_to);
create index inquiries_by_priority on inquiries (priority, id, assigned_to);
create index inquiries_by_subject on inquiries (subject, id, assigned_to);
create index responses_by_updated on responses (updated_at, id, responded_by);
