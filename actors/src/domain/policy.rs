//! Who may do what: one table, walked whole by a test over HTTP.

use uuid::Uuid;

use super::Principal;
use super::customer::Customer;
use super::response::Response;
use super::text_enum::text_enum;
use super::user::Role;

text_enum!(
    /// Everything that needs a permission.
    Action {
        ReadCustomer = "read_customer",
        WriteCustomer = "write_customer",
        AssignCustomer = "assign_customer",
        ReadInquiry = "read_inquiry",
        WriteInquiry = "write_inquiry",
        AssignInquiry = "assign_inquiry",
        CreateResponse = "create_response",
        ReadResponse = "read_response",
        EditResponse = "edit_response",
        SubmitResponse = "submit_response",
        WithdrawResponse = "withdraw_response",
        DecideResponse = "decide_response",
        ExplainPolicies = "explain_policies",
        ReadUsers = "read_users",
        WriteUsers = "write_users",
        ReadAudit = "read_audit",
        ReadStats = "read_stats",
        ManageApiKeys = "manage_api_keys",
        UseGateway = "use_gateway",
        ManageDeadLetters = "manage_dead_letters",
        ManageWebhooks = "manage_webhooks",
    }
);

/// What a role's cell in the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Never,
    Always,
    /// Only on what belongs to the caller: customers assigned to them, responses they wrote.
    Own,
    /// On everything except texts the caller wrote or edited (four eyes).
    NotWritten,
}

/// What the caller has to do with the object acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    pub owns: bool,
    pub wrote: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Permission {
    pub action: Action,
    pub cso: Rule,
    pub manager: Rule,
    pub admin: Rule,
}

#[rustfmt::skip]
pub const TABLE: &[Permission] = {
    use Rule::{Always, Never, NotWritten, Own};
    const fn row(action: Action, cso: Rule, manager: Rule, admin: Rule) -> Permission {
        Permission { action, cso, manager, admin }
    }
    &[
        //                             CSO     manager     admin
        row(Action::ReadCustomer,      Own,    Always,     Always),
        row(Action::WriteCustomer,     Never,  Never,      Always),
        row(Action::AssignCustomer,    Never,  Always,     Always),
        row(Action::ReadInquiry,       Always, Always,     Always),
        row(Action::WriteInquiry,      Always, Never,      Always),
        row(Action::AssignInquiry,     Never,  Always,     Always),
        row(Action::CreateResponse,    Always, Never,      Always),
        row(Action::ReadResponse,      Own,    Always,     Always),
        row(Action::EditResponse,      Own,    Never,      Always),
        row(Action::SubmitResponse,    Own,    Never,      Always),
        row(Action::WithdrawResponse,  Own,    Never,      Always),
        row(Action::DecideResponse,    Never,  NotWritten, NotWritten),
        row(Action::ExplainPolicies,   Never,  Always,     Always),
        row(Action::ReadUsers,         Never,  Always,     Always),
        row(Action::WriteUsers,        Never,  Never,      Always),
        row(Action::ReadAudit,         Never,  Always,     Always),
        row(Action::ReadStats,         Always, Always,     Always),
        row(Action::ManageApiKeys,     Never,  Never,      Always),
        // What gateways do with an API key: bring inquiries, report deliveries.
        row(Action::UseGateway,        Never,  Never,      Always),
        row(Action::ManageDeadLetters, Never,  Never,      Always),
        row(Action::ManageWebhooks,    Never,  Never,      Always),
    ]
};

/// What the table says for `role` and `action`. An action without a row is allowed to nobody.
pub fn rule(role: Role, action: Action) -> Rule {
    TABLE.iter().find(|row| row.action == action).map_or(Rule::Never, |row| match role {
        Role::Cso => row.cso,
        Role::Manager => row.manager,
        Role::Admin => row.admin,
    })
}

/// Whether a caller in `relation` to the object may take `action` on it.
pub fn allows(role: Role, action: Action, relation: Relation) -> bool {
    match rule(role, action) {
        Rule::Never => false,
        Rule::Always => true,
        Rule::Own => relation.owns,
        Rule::NotWritten => !relation.wrote,
    }
}

/// Things that can be in relation to a caller.
pub trait Owned {
    /// The action that makes the object visible at all; without it, it is as if absent.
    const READ: Action;

    fn relation_to(&self, user: Uuid) -> Relation;
}

impl Owned for Customer {
    const READ: Action = Action::ReadCustomer;

    fn relation_to(&self, user: Uuid) -> Relation {
        Relation { owns: self.assigned_to == Some(user), wrote: false }
    }
}

impl Owned for super::inquiry::Inquiry {
    const READ: Action = Action::ReadInquiry;

    fn relation_to(&self, user: Uuid) -> Relation {
        Relation { owns: self.assigned_to == Some(user), wrote: false }
    }
}

impl Owned for Response {
    const READ: Action = Action::ReadResponse;

    fn relation_to(&self, user: Uuid) -> Relation {
        Relation { owns: self.responded_by == user, wrote: self.is_written_by(user) }
    }
}

impl Owned for super::user::User {
    const READ: Action = Action::ReadUsers;

    fn relation_to(&self, user: Uuid) -> Relation {
        Relation { owns: self.id == user, wrote: false }
    }
}

/// The outcome for one object: what cannot be seen is absent before it is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    Forbidden,
    Invisible,
}

pub fn judge<T: Owned>(principal: &Principal, action: Action, object: &T) -> Verdict {
    let relation = object.relation_to(principal.user_id);
    if !allows(principal.role, T::READ, relation) {
        Verdict::Invisible
    } else if allows(principal.role, action, relation) {
        Verdict::Allowed
    } else {
        Verdict::Forbidden
    }
}

/// Restricts a list to what its caller may read: `Some(user)` when only their own.
pub fn list_scope(principal: &Principal, read: Action) -> Result<Option<Uuid>, Verdict> {
    match rule(principal.role, read) {
        Rule::Always | Rule::NotWritten => Ok(None),
        Rule::Own => Ok(Some(principal.user_id)),
        Rule::Never => Err(Verdict::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_exactly_one_row() {
        for &action in Action::ALL {
            assert_eq!(TABLE.iter().filter(|row| row.action == action).count(), 1, "{action}");
        }
    }

    #[test]
    fn nobody_decides_on_what_they_wrote() {
        for &role in Role::ALL {
            assert!(!allows(role, Action::DecideResponse, Relation { owns: true, wrote: true }), "{role}");
        }
    }
}
