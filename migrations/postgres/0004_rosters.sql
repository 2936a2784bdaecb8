-- Who was considered for an inquiry. While everybody is busy, that is the same for many in a row: kept once.
create table rosters (
    id         uuid primary key,
    candidates jsonb not null
);
-- Null: nobody was considered.
alter table assignments add column roster_id uuid references rosters (id);
insert into rosters (id, candidates) select id, candidates from assignments where candidates <> '[]';
update assignments set roster_id = id where candidates <> '[]';
alter table assignments drop column candidates;

-- As it is published: parsed by nobody on the way.
alter table outbox alter column data type text using data::text;
