//! Second factors: set up, confirmed, taken off. Codes have been verified by whoever sends these; here they are spent,
//! in the transaction of the change they allow.

use actix::{Handler, Message, ResponseFuture};
use uuid::Uuid;

use super::UserDesk;
use crate::clock::new_id;
use crate::desk::{expect_version, permit, settle};
use crate::domain::event::{EntityType, EventType};
use crate::domain::policy::Action;
use crate::domain::totp::SecondFactor;
use crate::domain::user::User;
use crate::domain::{Caller, Event};
use crate::error::{Conflict, HubError, HubResult};
use crate::store::users::{GetUser, TotpChange};
use crate::store::{Commit, Write};

/// An authenticator was made for the caller and waits to be confirmed; until then, nothing else changes. `Contended`
/// when the second factor was spent already, or is needed and missing.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<()>")]
pub struct BeginTotp {
    pub caller: Caller,
    /// Its sealed secret.
    pub pending: String,
    /// Of the authenticator it is to replace, where there is one.
    pub second_factor: Option<SecondFactor>,
}

/// The pending authenticator works: signing in takes its codes from now on. The caller's other sessions end. `Contended`
/// when another one has become the pending one.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ConfirmTotp {
    pub caller: Caller,
    /// The sealed secret a code was verified against.
    pub pending: String,
    /// The time step of that code.
    pub step: i64,
    /// Hashes of the recovery codes that go with it.
    pub recovery_codes: Vec<String>,
}

/// The caller gets other recovery codes. `Contended` when the second factor was spent already.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ReplaceRecoveryCodes {
    pub caller: Caller,
    pub second_factor: SecondFactor,
    /// Their hashes.
    pub recovery_codes: Vec<String>,
}

/// The caller does without from now on; their other sessions end. `Conflict` where their role may not, `Contended` when
/// the second factor was spent already.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<User>")]
pub struct DisableTotp {
    pub caller: Caller,
    pub second_factor: SecondFactor,
}

/// Takes the second factor off a user who has lost it, and ends their sessions. `caller` is absent for the operator at
/// the command line.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ResetTotp {
    pub caller: Option<Caller>,
    pub user_id: Uuid,
}

impl Handler<BeginTotp> for UserDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, begin: BeginTotp, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let BeginTotp { caller, pending, second_factor } = begin;
            let user = desk.own(&caller).await?;
            let user_id = user.id;
            let event = desk.note(EventType::UserTotpStarted, &user, &caller);
            let replacing = second_factor.is_some();
            let begin = Write::Totp { user_id, change: TotpChange::Begin { pending, replacing } };
            let mut commit = Commit::new(begin, event);
            if let Some(factor) = second_factor {
                commit = commit.and(Write::Totp { user_id, change: TotpChange::Spend(factor) });
            }
            desk.writer.ask(commit).await
        })
    }
}

impl Handler<ConfirmTotp> for UserDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, confirm: ConfirmTotp, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let ConfirmTotp { caller, pending, step, recovery_codes } = &confirm;
            settle(|| async {
                let before = desk.own(caller).await?;
                let (commit, _) = desk.switch(&before, true, Some(caller));
                let (user_id, pending, step) = (before.id, pending.clone(), *step);
                let commit = commit
                    .and(Write::Totp { user_id, change: TotpChange::Confirm { pending, step } })
                    .and(Write::Totp { user_id, change: TotpChange::ReplaceCodes(recovery_codes.clone()) });
                desk.writer.ask(commit).await
            })
            .await
        })
    }
}

impl Handler<ReplaceRecoveryCodes> for UserDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, replace: ReplaceRecoveryCodes, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let ReplaceRecoveryCodes { caller, second_factor, recovery_codes } = replace;
            let user = desk.own(&caller).await?;
            let user_id = user.id;
            let event = desk.note(EventType::UserRecoveryCodesReplaced, &user, &caller);
            let spend = Write::Totp { user_id, change: TotpChange::Spend(second_factor) };
            let replace = Write::Totp { user_id, change: TotpChange::ReplaceCodes(recovery_codes) };
            desk.writer.ask(Commit::new(spend, event).and(replace)).await
        })
    }
}

impl Handler<DisableTotp> for UserDesk {
    type Result = ResponseFuture<HubResult<User>>;

    fn handle(&mut self, disable: DisableTotp, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let DisableTotp { caller, second_factor } = &disable;
            settle(|| async {
                let before = desk.own(caller).await?;
                if desk.totp_required_for.contains(&before.role) {
                    return Err(Conflict::SecondFactorRequired.into());
                }
                let (commit, after) = desk.switch(&before, false, Some(caller));
                let user_id = before.id;
                let commit = commit
                    .and(Write::Totp { user_id, change: TotpChange::Spend(second_factor.clone()) })
                    .and(Write::Totp { user_id, change: TotpChange::Remove })
                    .answering(caller, &after);
                desk.writer.ask(commit).await?;
                Ok(after)
            })
            .await
        })
    }
}

impl Handler<ResetTotp> for UserDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, reset: ResetTotp, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let ResetTotp { caller, user_id } = &reset;
            settle(|| async {
                let found = desk.users.ask(GetUser(*user_id)).await?;
                let before = match caller {
                    Some(caller) => {
                        let user = permit(&caller.principal, Action::WriteUsers, EntityType::User, found)?;
                        expect_version(caller, user.version)?;
                        if user.id == caller.principal.user_id {
                            return Err(Conflict::OwnSecondFactor.into());
                        }
                        user
                    }
                    None => found.ok_or(HubError::NotFound(EntityType::User))?,
                };
                if !before.totp_enabled {
                    return Err(Conflict::NoSecondFactor.into());
                }
                let (commit, _) = desk.switch(&before, false, caller.as_ref());
                let remove = Write::Totp { user_id: before.id, change: TotpChange::Remove };
                desk.writer.ask(commit.and(remove)).await
            })
            .await
        })
    }
}

impl UserDesk {
    /// The beginning of a commit with which a code is asked for at sign-ins, or no longer, and the user's sessions end;
    /// not the one in which they do it themselves. Its first write locks the user's row, as a sign-in does.
    fn switch(&self, before: &User, totp_enabled: bool, caller: Option<&Caller>) -> (Commit, User) {
        let at = self.clock.now();
        let after = before.with_totp(totp_enabled, at);
        let kind = if totp_enabled { EventType::UserTotpEnabled } else { EventType::UserTotpDisabled };
        let mut event = Event::of(new_id(), kind, (EntityType::User, after.id), Some(before), &after, at);
        if let Some(caller) = caller {
            event = event.by(caller.principal.user_id, &caller.request_id);
        }
        let own = caller.map(|caller| &caller.principal).filter(|principal| principal.user_id == after.id);
        let except = own.map(|principal| principal.session_id);
        let end = Write::EndSessions { user_id: after.id, except, at };
        (Commit::new(Write::UpdateUser(after.clone()), event).and(end), after)
    }

    /// Of something that does not show in the user.
    fn note(&self, event_type: EventType, user: &User, caller: &Caller) -> Event {
        let entity = (EntityType::User, user.id);
        Event::of(new_id(), event_type, entity, Some(user), user, self.clock.now())
            .by(caller.principal.user_id, &caller.request_id)
    }
}
