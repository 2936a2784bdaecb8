-- What the statistics over a range read: by an index, and only the range.

-- When an inquiry was first answered, and by whom. A narrow row of its own, so that the figures need neither the
-- conversations nor the inquiries.
create table first_responses (
    inquiry_id   blob not null primary key references inquiries (id),
    -- The inquiry's `created_at`.
    asked_at     text not null,
    responded_at text not null,
    author_id    blob references users (id)
);
insert into first_responses (inquiry_id, asked_at, responded_at, author_id)
    select i.id, i.created_at, m.created_at, m.author_id
    from messages m join inquiries i on i.id = m.inquiry_id
    where m.direction = 'outbound' and not exists (
        select 1 from messages earlier
        where earlier.inquiry_id = m.inquiry_id and earlier.direction = 'outbound'
            and (earlier.created_at, earlier.id) < (m.created_at, m.id));
create index first_responses_by_time on first_responses (responded_at, asked_at, author_id);

create index messages_released on messages (created_at, author_id) where direction = 'outbound';
drop index responses_by_decision;
create index responses_by_decision on responses (decided_at, submitted_at, responded_by) where decided_at is not null;

-- Counts by status. Few distinct values, so these are small and read whole where the tables would be.
create index inquiries_by_assignee_status on inquiries (assigned_to, status);
create index responses_by_author_status on responses (responded_by, status);
