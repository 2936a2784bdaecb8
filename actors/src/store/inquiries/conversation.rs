//! What was said about an inquiry, and when it was first answered.

use actix::{Handler, Message, ResponseFuture};
use sqlx::query;
use sqlx::types::Json;
use uuid::Uuid;

use super::{InquiryStore, TOLD};
use crate::domain::inquiry::{ConversationMessage, Direction};
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::error::HubResult;
use crate::store::bind::from_row;
use crate::store::bulk::insert_rows;
use crate::store::commit::Work;
use crate::store::db::{failed, write_tx};
use crate::store::list::{self, Condition, ListSql, Value};

const CONVERSATION: ListSql = ListSql {
    select: "t.id, t.created_at, t.inquiry_id, t.direction, t.message, t.author_id, t.response_id, t.external_id, \
        t.metadata",
    from: "messages t",
    sorts: TOLD,
};

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<ConversationMessage>>")]
pub struct ListMessages {
    pub inquiry_id: Uuid,
    pub page: PageRequest,
}

impl Handler<ListMessages> for InquiryStore {
    type Result = ResponseFuture<HubResult<Page<ConversationMessage>>>;

    fn handle(
        &mut self,
        ListMessages { inquiry_id, page }: ListMessages,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let conditions = vec![Condition::with("t.inquiry_id = ", Value::Id(inquiry_id))];
            list::page(&db, &CONVERSATION, conditions, &page, |message: &ConversationMessage, _| {
                (SortValue::Time(message.created_at), message.id)
            })
            .await
        })
    }
}

from_row!(ConversationMessage {
    id, created_at, inquiry_id, direction, message, author_id, response_id, external_id; optional_json metadata
});

pub(in crate::store) async fn insert_messages(
    work: &mut Work,
    messages: &[&ConversationMessage],
) -> HubResult<()> {
    insert_rows!(
        &mut work.tx,
        "messages (id, created_at, inquiry_id, direction, message, author_id, response_id, external_id, metadata)",
        messages,
        |message, values| values
            .push_bind(message.id)
            .push_bind(message.created_at)
            .push_bind(message.inquiry_id)
            .push_bind(message.direction)
            .push_bind(message.message.as_str())
            .push_bind(message.author_id)
            .push_bind(message.response_id)
            .push_bind(message.external_id.as_deref())
            .push_bind(message.metadata.as_ref().map(Json))
    )
    .map_err(failed)?;
    for reply in messages.iter().filter(|message| message.direction == Direction::Outbound) {
        note_first_response(work, reply).await?;
    }
    Ok(())
}

/// Only the first reply of a conversation leaves a note.
async fn note_first_response(work: &mut Work, reply: &ConversationMessage) -> HubResult<()> {
    const SQL: &str = "insert into first_responses (inquiry_id, asked_at, responded_at, author_id) \
        select id, created_at, $2, $3 from inquiries where id = $1 on conflict (inquiry_id) do nothing";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(reply.inquiry_id)
        .bind(reply.created_at)
        .bind(reply.author_id)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}
