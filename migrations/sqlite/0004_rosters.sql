-- Who was considered for an inquiry. While everybody is busy, that is the same for many in a row: kept once.
create table rosters (
    id         blob not null primary key,
    candidates text not null
);
-- Null: nobody was considered.
alter table assignments add column roster_id blob references rosters (id);
insert into rosters (id, candidates) select id, candidates from assignments where candidates <> '[]';
update assignments set roster_id = id where candidates <> '[]';
alter table assignments drop column candidates;
