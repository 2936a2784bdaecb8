//! Owns changes to API keys.

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use uuid::Uuid;

use crate::clock::{Clock, new_id};
use crate::desk::permit_any;
use crate::domain::api_key::{ApiKey, NewApiKey};
use crate::domain::event::{EntityType, EventType};
use crate::domain::policy::Action;
use crate::domain::{Caller, Event};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::api_keys::{ApiKeyStore, GetApiKey};
use crate::store::{Commit, Write, Writer};

/// Makes a key whose text only its maker has: the hub gets its hash and how it begins.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<ApiKey>")]
pub struct CreateApiKey {
    pub caller: Caller,
    pub input: NewApiKey,
    /// SHA-256 in hex.
    pub key_hash: String,
    pub hint: String,
}

/// From now on the key opens nothing.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct RevokeApiKey {
    pub caller: Caller,
    pub id: Uuid,
}

#[derive(Clone)]
pub struct ApiKeyDesk {
    pub(crate) clock: Clock,
    pub(crate) api_keys: Mailbox<ApiKeyStore>,
    pub(crate) writer: Mailbox<Writer>,
}

impl Actor for ApiKeyDesk {
    type Context = Context<Self>;
}

impl Supervised for ApiKeyDesk {}

crate::follows_traces!(ApiKeyDesk);

impl Handler<CreateApiKey> for ApiKeyDesk {
    type Result = ResponseFuture<HubResult<ApiKey>>;

    fn handle(&mut self, create: CreateApiKey, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let CreateApiKey { caller, input, key_hash, hint } = create;
            permit_any(&caller.principal, Action::ManageApiKeys)?;
            let now = desk.clock.now();
            let key = ApiKey {
                id: new_id(),
                version: 1,
                created_at: now,
                updated_at: now,
                name: input.name,
                scopes: input.scopes,
                hint,
                created_by: caller.principal.user_id,
                last_used_at: None,
                revoked_at: None,
            };
            let event =
                Event::of(new_id(), EventType::ApiKeyCreated, (EntityType::ApiKey, key.id), None, &key, now)
                    .by(caller.principal.user_id, &caller.request_id);
            desk.writer.ask(Commit::new(Write::InsertApiKey { key: key.clone(), key_hash }, event)).await?;
            Ok(key)
        })
    }
}

impl Handler<RevokeApiKey> for ApiKeyDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, RevokeApiKey { caller, id }: RevokeApiKey, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            permit_any(&caller.principal, Action::ManageApiKeys)?;
            let key =
                desk.api_keys.ask(GetApiKey(id)).await?.ok_or(HubError::NotFound(EntityType::ApiKey))?;
            let at = desk.clock.now();
            let revoked = ApiKey { revoked_at: Some(at), ..key.clone() };
            let entity = (EntityType::ApiKey, id);
            let event = Event::of(new_id(), EventType::ApiKeyRevoked, entity, Some(&key), &revoked, at)
                .by(caller.principal.user_id, &caller.request_id);
            match desk.writer.ask(Commit::new(Write::RevokeApiKey { id, at }, event)).await {
                // Someone else revoked it at the same moment.
                Err(HubError::Contended) => Err(HubError::NotFound(EntityType::ApiKey)),
                outcome => outcome,
            }
        })
    }
}
