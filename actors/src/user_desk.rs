//! Owns changes to users and their sessions.

mod totp;

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::assignment_balancer::{AssignmentBalancer, TakeUpWaiting};
use crate::clock::{Clock, new_id};
use crate::desk::{expect_version, permit, permit_any, settle};
use crate::domain::event::{EntityType, EventType};
use crate::domain::policy::Action;
use crate::domain::totp::SecondFactor;
use crate::domain::user::{Availability, NewUser, Role, User, UserPatch};
use crate::domain::{Caller, Event, Timestamp};
use crate::error::{Conflict, HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::sessions::NewSession;
use crate::store::users::{GetUser, TotpChange, UserStore};
use crate::store::{Commit, Write, Writer};

pub use totp::{BeginTotp, ConfirmTotp, DisableTotp, ReplaceRecoveryCodes, ResetTotp};

/// Makes a user. `caller` is absent for the operator at the command line and for the first admin.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<User>")]
pub struct CreateUser {
    pub caller: Option<Caller>,
    pub user: NewUser,
    pub password_hash: String,
}

/// `PATCH /users/:id`.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<User>")]
pub struct ChangeUser {
    pub caller: Caller,
    pub id: Uuid,
    pub patch: UserPatch,
}

/// What people may change of themselves. The current password has been verified by whoever sends a new one.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<User>")]
pub struct ChangeProfile {
    pub caller: Caller,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub availability: Option<Availability>,
    pub new_password_hash: Option<String>,
}

/// Records a sign-in whose credentials were verified. `Contended` when they have changed since.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<()>")]
pub struct StartSession {
    pub session: NewSession,
    pub request_id: String,
    /// The stored hash that the password was verified against.
    pub verified: String,
    /// The password hashed with today's parameters, when the stored hash has older ones.
    pub rehashed: Option<String>,
    /// Of a user who has one; it is spent.
    pub second_factor: Option<SecondFactor>,
}

#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct EndSessions {
    pub user_id: Uuid,
    pub request_id: String,
    pub which: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Signed out.
    One(Uuid),
    /// Signed out everywhere.
    All,
    /// A spent refresh token was presented: the session may be in two hands.
    Reused(Uuid),
}

#[derive(Clone)]
pub struct UserDesk {
    pub(crate) clock: Clock,
    pub(crate) users: Mailbox<UserStore>,
    pub(crate) balancer: Mailbox<AssignmentBalancer>,
    pub(crate) writer: Mailbox<Writer>,
    pub(crate) totp_required_for: Arc<[Role]>,
}

impl Actor for UserDesk {
    type Context = Context<Self>;
}

impl Supervised for UserDesk {}

crate::follows_traces!(UserDesk);

impl Handler<CreateUser> for UserDesk {
    type Result = ResponseFuture<HubResult<User>>;

    fn handle(&mut self, create: CreateUser, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let CreateUser { caller, user, password_hash } = create;
            if let Some(caller) = &caller {
                permit_any(&caller.principal, Action::WriteUsers)?;
            }
            let user = user.into_user(new_id(), desk.clock.now());
            let entity = (EntityType::User, user.id);
            let mut event = Event::of(new_id(), EventType::UserCreated, entity, None, &user, user.created_at);
            if let Some(caller) = &caller {
                event = event.by(caller.principal.user_id, &caller.request_id);
            }
            let mut commit = Commit::new(Write::InsertUser { user: user.clone(), password_hash }, event);
            if let Some(caller) = &caller {
                commit = commit.answering(caller, &user);
            }
            desk.writer.ask(commit).await?;
            if user.accepts_work() {
                desk.balancer.nudge(TakeUpWaiting);
            }
            Ok(user)
        })
    }
}

impl Handler<ChangeUser> for UserDesk {
    type Result = ResponseFuture<HubResult<User>>;

    fn handle(&mut self, change: ChangeUser, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let ChangeUser { caller, id, patch } = &change;
            settle(|| async {
                let found = desk.users.ask(GetUser(*id)).await?;
                let before = permit(&caller.principal, Action::WriteUsers, EntityType::User, found)?;
                expect_version(caller, before.version)?;
                let after = patch.apply(&before, desk.clock.now());
                if before.id == caller.principal.user_id && (!after.is_active || after.role != before.role) {
                    return Err(Conflict::OwnAccount.into());
                }
                desk.update(caller, before, after, None).await
            })
            .await
        })
    }
}

impl Handler<ChangeProfile> for UserDesk {
    type Result = ResponseFuture<HubResult<User>>;

    fn handle(&mut self, change: ChangeProfile, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let caller = &change.caller;
            let patch = UserPatch {
                first_name: change.first_name.clone(),
                last_name: change.last_name.clone(),
                availability: change.availability,
                ..UserPatch::default()
            };
            settle(|| async {
                let before = desk.own(caller).await?;
                let after = patch.apply(&before, desk.clock.now());
                desk.update(caller, before, after, change.new_password_hash.clone()).await
            })
            .await
        })
    }
}

impl Handler<StartSession> for UserDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, start: StartSession, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let StartSession { session, request_id, verified, rehashed, second_factor } = start;
            let (user_id, at) = (session.user_id, session.created_at);
            let mut event =
                session_event(EventType::SessionStarted, Some(session.id), user_id, &request_id, at);
            let kept = rehashed.unwrap_or_else(|| verified.clone());
            let totp_enabled = second_factor.is_some();
            let confirm = Write::ConfirmPassword { user_id, verified, kept, totp_enabled };
            let mut writes = vec![confirm];
            if let Some(factor) = second_factor {
                let used = json!({"from": null, "to": factor.name()});
                event.changes.insert("secondFactor".to_owned(), used);
                writes.push(Write::Totp { user_id, change: TotpChange::Spend(factor) });
            }
            writes.push(Write::InsertSession(session));
            desk.writer.ask(Commit { writes, events: vec![event], settle: None }).await
        })
    }
}

impl Handler<EndSessions> for UserDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, end: EndSessions, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let EndSessions { user_id, request_id, which } = end;
            let at = desk.clock.now();
            let (write, event_type, session) = match which {
                Ending::One(session_id) => {
                    (Write::EndSession { session_id, at }, EventType::SessionEnded, Some(session_id))
                }
                Ending::All => {
                    (Write::EndSessions { user_id, except: None, at }, EventType::SessionEnded, None)
                }
                Ending::Reused(session_id) => {
                    (Write::EndSession { session_id, at }, EventType::SessionReuseDetected, Some(session_id))
                }
            };
            let event = session_event(event_type, session, user_id, &request_id, at);
            desk.writer.ask(Commit::new(write, event)).await
        })
    }
}

impl UserDesk {
    /// The caller, if in the version they have seen.
    async fn own(&self, caller: &Caller) -> HubResult<User> {
        let found = self.users.ask(GetUser(caller.principal.user_id)).await?;
        let user = found.ok_or(HubError::NotFound(EntityType::User))?;
        expect_version(caller, user.version)?;
        Ok(user)
    }

    /// One change of a user with everything that follows from it, in one transaction: sessions that end, and
    /// work that is handed on.
    async fn update(
        &self,
        caller: &Caller,
        before: User,
        after: User,
        new_password_hash: Option<String>,
    ) -> HubResult<User> {
        let (by, at) = (caller.principal.user_id, after.updated_at);
        let entity = (EntityType::User, after.id);
        let event = Event::of(new_id(), EventType::UserUpdated, entity, Some(&before), &after, at)
            .by(by, &caller.request_id);
        let user_id = after.id;
        // First, because it locks the row that assignment locks: nothing is assigned to the user in between.
        let mut commit = Commit::new(Write::UpdateUser(after.clone()), event).answering(caller, &after);
        if let Some(password_hash) = new_password_hash {
            let changed = Event {
                event_type: EventType::UserPasswordChanged,
                changes: Map::new(),
                ..Event::of(new_id(), EventType::UserPasswordChanged, entity, Some(&before), &after, at)
                    .by(by, &caller.request_id)
            };
            commit = commit
                .and(Write::SetPassword { user_id, password_hash })
                .with_event(changed)
                .and(Write::EndSessions { user_id, except: Some(caller.principal.session_id), at });
        }
        if !after.is_active || after.role != before.role {
            commit = commit.and(Write::EndSessions { user_id, except: None, at });
        }
        let hands_on = before.accepts_work() && !after.accepts_work()
            || before.may_be_assigned() && !after.may_be_assigned();
        if hands_on {
            let by = Some((by, caller.request_id.to_string()));
            commit = commit.and(Write::HandOn { user_id, all: !after.may_be_assigned(), by, at });
        }
        self.writer.ask(commit).await?;
        if hands_on || after.accepts_work() {
            self.balancer.nudge(TakeUpWaiting);
        }
        Ok(after)
    }
}

fn session_event(
    event_type: EventType,
    session_id: Option<Uuid>,
    user_id: Uuid,
    request_id: &str,
    time: Timestamp,
) -> Event {
    let data: Value = json!({"sessionId": session_id, "userId": user_id});
    Event::of(new_id(), event_type, (EntityType::Session, session_id.unwrap_or(user_id)), None, &data, time)
        .by(user_id, request_id)
}
