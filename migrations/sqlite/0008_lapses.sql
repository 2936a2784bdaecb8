-- Who had the inquiry and did not take it up; it goes to somebody else next.
alter table inquiries add column lapsed_by blob references users (id);
create index inquiries_not_taken_up on inquiries (assigned_at) where status = 'pending' and assigned_to is not null;
