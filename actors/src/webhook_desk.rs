//! Owns changes to webhooks that people make.

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use uuid::Uuid;

use crate::clock::{Clock, new_id};
use crate::desk::{expect_version, permit_any, settle};
use crate::domain::event::{EntityType, EventType};
use crate::domain::policy::Action;
use crate::domain::webhook::{NewWebhook, Webhook, WebhookMessage, WebhookPatch, WebhookSecret, rotated};
use crate::domain::{Caller, Event};
use crate::error::{Conflict, HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::webhooks::{GetAttempted, GetWebhook, GetWebhookSecrets, WebhookStore};
use crate::store::{Commit, Write, Writer};

#[derive(Clone, Message)]
#[rtype(result = "HubResult<Webhook>")]
pub struct CreateWebhook {
    pub caller: Caller,
    pub input: NewWebhook,
    pub secret: String,
}

#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Webhook>")]
pub struct ChangeWebhook {
    pub caller: Caller,
    pub id: Uuid,
    pub patch: WebhookPatch,
}

/// From now on `secret` signs, and the one before still does for a day.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<Webhook>")]
pub struct RotateSecret {
    pub caller: Caller,
    pub id: Uuid,
    pub secret: String,
}

/// From now on the endpoint is told nothing.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct DeleteWebhook {
    pub caller: Caller,
    pub id: Uuid,
}

/// Calls the message of an attempt once more, under the same id, whatever came of it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<WebhookMessage>")]
pub struct ReplayAttempt {
    pub caller: Caller,
    pub webhook_id: Uuid,
    pub attempt_id: Uuid,
}

#[derive(Clone)]
pub struct WebhookDesk {
    pub(crate) clock: Clock,
    pub(crate) webhooks: Mailbox<WebhookStore>,
    pub(crate) writer: Mailbox<Writer>,
}

impl Actor for WebhookDesk {
    type Context = Context<Self>;
}

impl Supervised for WebhookDesk {}

crate::follows_traces!(WebhookDesk);

impl Handler<CreateWebhook> for WebhookDesk {
    type Result = ResponseFuture<HubResult<Webhook>>;

    fn handle(&mut self, create: CreateWebhook, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let CreateWebhook { caller, input, secret } = create;
            permit_any(&caller.principal, Action::ManageWebhooks)?;
            let webhook = input.into_webhook(new_id(), caller.principal.user_id, desk.clock.now());
            let event = event(&caller, EventType::WebhookCreated, None, &webhook);
            let secrets = vec![WebhookSecret { secret, until: None }];
            let insert = Write::InsertWebhook { webhook: webhook.clone(), secrets };
            desk.writer.ask(Commit::new(insert, event)).await?;
            Ok(webhook)
        })
    }
}

impl Handler<ChangeWebhook> for WebhookDesk {
    type Result = ResponseFuture<HubResult<Webhook>>;

    fn handle(&mut self, change: ChangeWebhook, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            settle(|| async {
                let ChangeWebhook { caller, id, patch } = &change;
                let before = desk.managed(caller, *id).await?;
                let after = patch.apply(&before, desk.clock.now());
                let event = event(caller, EventType::WebhookUpdated, Some(&before), &after);
                let update = Write::UpdateWebhook { webhook: after.clone(), secrets: None };
                desk.writer.ask(Commit::new(update, event)).await?;
                Ok(after)
            })
            .await
        })
    }
}

impl Handler<RotateSecret> for WebhookDesk {
    type Result = ResponseFuture<HubResult<Webhook>>;

    fn handle(&mut self, rotate: RotateSecret, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            settle(|| async {
                let RotateSecret { caller, id, secret } = &rotate;
                let now = desk.clock.now();
                // Read before the secrets: should somebody rotate in between, the version tells.
                let before = desk.managed(caller, *id).await?;
                let secrets = desk.webhooks.ask(GetWebhookSecrets(*id)).await?;
                let secrets = secrets.ok_or(HubError::NotFound(EntityType::Webhook))?;
                let after = before.touched(now);
                let event = event(caller, EventType::WebhookSecretRotated, Some(&before), &after);
                let secrets = Some(rotated(&secrets, secret.clone(), now));
                let update = Write::UpdateWebhook { webhook: after.clone(), secrets };
                desk.writer.ask(Commit::new(update, event)).await?;
                Ok(after)
            })
            .await
        })
    }
}

impl Handler<DeleteWebhook> for WebhookDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, DeleteWebhook { caller, id }: DeleteWebhook, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            settle(|| async {
                let before = desk.managed(&caller, id).await?;
                let gone = Webhook { is_enabled: false, ..before.touched(desk.clock.now()) };
                let event = event(&caller, EventType::WebhookDeleted, Some(&before), &gone);
                desk.writer.ask(Commit::new(Write::DeleteWebhook(gone), event)).await
            })
            .await
        })
    }
}

impl Handler<ReplayAttempt> for WebhookDesk {
    type Result = ResponseFuture<HubResult<WebhookMessage>>;

    fn handle(&mut self, replay: ReplayAttempt, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            settle(|| async {
                let ReplayAttempt { caller, webhook_id, attempt_id } = &replay;
                let webhook = desk.managed(caller, *webhook_id).await?;
                let attempted = GetAttempted { webhook_id: *webhook_id, attempt_id: *attempt_id };
                let message = desk.webhooks.ask(attempted).await?;
                let before = message.ok_or(HubError::NotFound(EntityType::WebhookAttempt))?;
                if !webhook.is_enabled {
                    return Err(Conflict::WebhookDisabled.into());
                }
                let now = desk.clock.now();
                let after = before.replayed(now);
                let entity = (EntityType::Webhook, webhook.id);
                let event =
                    Event::of(new_id(), EventType::WebhookReplayed, entity, Some(&before), &after, now)
                        .by(caller.principal.user_id, &caller.request_id);
                desk.writer.ask(Commit::new(Write::ReplayMessage(after.clone()), event)).await?;
                Ok(after)
            })
            .await
        })
    }
}

impl WebhookDesk {
    /// The webhook, for a caller who may manage it and has not missed a change of it.
    async fn managed(&self, caller: &Caller, id: Uuid) -> HubResult<Webhook> {
        permit_any(&caller.principal, Action::ManageWebhooks)?;
        let found = self.webhooks.ask(GetWebhook(id)).await?;
        let webhook = found.ok_or(HubError::NotFound(EntityType::Webhook))?;
        expect_version(caller, webhook.version)?;
        Ok(webhook)
    }
}

fn event(caller: &Caller, event_type: EventType, before: Option<&Webhook>, after: &Webhook) -> Event {
    let entity = (EntityType::Webhook, after.id);
    Event::of(new_id(), event_type, entity, before, after, after.updated_at)
        .by(caller.principal.user_id, &caller.request_id)
}
