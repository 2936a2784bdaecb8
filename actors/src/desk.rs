//! What the workflow actors share: who may touch an entity, at which version, and what to do when two writers
//! meet.

use uuid::Uuid;

use crate::domain::event::EntityType;
use crate::domain::policy::{self, Action, Owned, Verdict};
use crate::domain::{Caller, Principal};
use crate::error::{Forbidden, HubError, HubResult};

/// How often a change is tried again when another writer was faster. Each try starts from the entity as it
/// then is, so a change that no longer makes sense fails for its own reason.
const ATTEMPTS: usize = 8;

/// The entity, if the caller may take `action` on it.
///
/// # Errors
/// `NotFound` if it is absent or the caller may not see it; `Forbidden` if they see it but may not.
pub fn permit<T: Owned>(
    principal: &Principal,
    action: Action,
    kind: EntityType,
    found: Option<T>,
) -> HubResult<T> {
    let Some(entity) = found else { return Err(HubError::NotFound(kind)) };
    match policy::judge(principal, action, &entity) {
        Verdict::Allowed => Ok(entity),
        Verdict::Invisible => Err(HubError::NotFound(kind)),
        Verdict::Forbidden => Err(refusal(principal, action, &entity).into()),
    }
}

/// For actions on no particular entity.
pub fn permit_any(principal: &Principal, action: Action) -> HubResult<()> {
    if policy::allows(principal.role, action, policy::Relation::default()) {
        Ok(())
    } else {
        Err(Forbidden::Role.into())
    }
}

/// For lists: `Some(user)` where they are shown only their own.
///
/// # Errors
/// `Forbidden` where their role may never read them.
pub fn permit_list(principal: &Principal, read: Action) -> HubResult<Option<Uuid>> {
    policy::list_scope(principal, read).map_err(|_| Forbidden::Role.into())
}

/// Honours `If-Match`.
pub(crate) fn expect_version(caller: &Caller, current: i64) -> HubResult<()> {
    match caller.if_match {
        Some(expected) if expected != current => Err(HubError::Stale { current }),
        Some(_) | None => Ok(()),
    }
}

/// Runs `change` until no other writer gets in between.
pub(crate) async fn settle<T, F>(mut change: impl FnMut() -> F) -> HubResult<T>
where
    F: Future<Output = HubResult<T>>,
{
    for _ in 1..ATTEMPTS {
        match change().await {
            Err(HubError::Contended | HubError::NoRoom) => {}
            settled => return settled,
        }
    }
    change().await
}

fn refusal<T: Owned>(principal: &Principal, action: Action, entity: &T) -> Forbidden {
    if action == Action::DecideResponse && entity.relation_to(principal.user_id).wrote {
        Forbidden::OwnText
    } else {
        Forbidden::Role
    }
}
