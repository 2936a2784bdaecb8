-- Notices that are mailed as well, several in one digest.

-- True from the change it tells of until a digest with it has gone, or until it is no longer worth one.
alter table notifications add column to_mail boolean not null default false;
-- The digest it goes with, or went with.
alter table notifications add column digest_id blob;
create index notifications_to_mail on notifications (user_id) where to_mail;

create table digests (
    user_id  blob not null primary key references users (id),
    -- Of the one under way, or in doubt: it goes again as the same mail. Null when there is none.
    id       blob,
    -- When the next may go: after the last one, after a failure, or when the claim of whoever sends it ends.
    due_at   text not null,
    -- That have failed since the last one went.
    attempts integer not null default 0
);
