-- Where the changes that are still to be told of are in their traces (W3C traceparent). Null where none was kept.
alter table outbox add column trace text;

-- The span in which an inquiry came in, or a reply was released to be delivered. A table of its own, because instances
-- of the release before read whole rows of inquiries and deliveries, which must not change under them.
create table traces (
    -- Of the inquiry, or of the delivery.
    entity_id blob not null primary key,
    place     text not null
);
