use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::text_enum::text_enum;
use super::validation::{MAX_NAME, present};
use super::{Checks, FieldError, Timestamp};

text_enum!(
    /// What a user is to the hub.
    Role { Cso = "cso", Manager = "manager", Admin = "admin" }
);

text_enum!(
    /// Whether new work may be handed to a CSO.
    Availability { Online = "online", Away = "away" }
);

pub const DEFAULT_MAX_OPEN_INQUIRIES: i64 = 20;

/// A person who signs in. The password's hash is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub id: Uuid,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[schema(format = "email")]
    pub email: String,
    pub role: Role,
    pub first_name: String,
    pub last_name: String,
    pub is_active: bool,
    pub availability: Availability,
    /// How many pending and in-progress inquiries a CSO takes on at once.
    #[schema(minimum = 0, maximum = 10000)]
    pub max_open_inquiries: i64,
    /// Categories this CSO answers; empty means all.
    pub skills: Vec<String>,
    /// Whether signing in takes a code of an authenticator app as well.
    pub totp_enabled: bool,
}

/// A user with the password's hash in PHC string format. Never serialised.
#[derive(Clone)]
pub struct Credentials {
    pub user: User,
    pub password_hash: String,
}

impl User {
    /// Whether new work may be assigned to this user by the hub.
    pub fn accepts_work(&self) -> bool {
        self.may_be_assigned() && self.availability == Availability::Online
    }

    /// The same user with or without a second factor.
    #[must_use]
    pub fn with_totp(&self, totp_enabled: bool, now: Timestamp) -> Self {
        Self { totp_enabled, version: self.version + 1, updated_at: now, ..self.clone() }
    }

    /// Whether a manager may assign work to this user.
    pub fn may_be_assigned(&self) -> bool {
        self.role == Role::Cso && self.is_active
    }
}

/// `POST /auth/register`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUser {
    #[schema(format = "email", max_length = 254)]
    pub email: String,
    #[schema(format = "password", min_length = 12, max_length = 128)]
    pub password: String,
    pub role: Role,
    #[schema(min_length = 1, max_length = 100)]
    pub first_name: String,
    #[schema(min_length = 1, max_length = 100)]
    pub last_name: String,
}

impl NewUser {
    /// Checks everything but the password, whose rules need the list of common ones.
    pub fn check(mut self, checks: &mut Checks) -> Self {
        self.email = checks.email("/email", &self.email);
        self.first_name = checks.line("/firstName", &self.first_name, MAX_NAME);
        self.last_name = checks.line("/lastName", &self.last_name, MAX_NAME);
        self
    }

    pub fn into_user(self, id: Uuid, now: Timestamp) -> User {
        User {
            id,
            version: 1,
            created_at: now,
            updated_at: now,
            email: self.email,
            role: self.role,
            first_name: self.first_name,
            last_name: self.last_name,
            is_active: true,
            availability: Availability::Online,
            max_open_inquiries: DEFAULT_MAX_OPEN_INQUIRIES,
            skills: Vec::new(),
            totp_enabled: false,
        }
    }
}

/// `PATCH /users/:id`: what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserPatch {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub role: Option<Role>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub is_active: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 0, maximum = 10000)]
    pub max_open_inquiries: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_items = 50)]
    pub skills: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub availability: Option<Availability>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub first_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub last_name: Option<String>,
}

impl UserPatch {
    pub fn validate(mut self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        if self.max_open_inquiries.is_some_and(|max| !(0..=10_000).contains(&max)) {
            checks.fail("/maxOpenInquiries", "out_of_range", "must be between 0 and 10000");
        }
        if let Some(skills) = &mut self.skills {
            if skills.len() > 50 {
                checks.fail("/skills", "too_many", "must not hold more than 50 categories");
            }
            for (index, skill) in skills.iter_mut().enumerate() {
                *skill = checks.line(&format!("/skills/{index}"), skill, MAX_NAME);
            }
            skills.sort();
            skills.dedup();
        }
        self.first_name = self.first_name.map(|name| checks.line("/firstName", &name, MAX_NAME));
        self.last_name = self.last_name.map(|name| checks.line("/lastName", &name, MAX_NAME));
        checks.finish(self)
    }

    pub fn apply(&self, user: &User, now: Timestamp) -> User {
        let mut changed = user.clone();
        changed.version += 1;
        changed.updated_at = now;
        if let Some(role) = self.role {
            changed.role = role;
        }
        if let Some(is_active) = self.is_active {
            changed.is_active = is_active;
        }
        if let Some(max) = self.max_open_inquiries {
            changed.max_open_inquiries = max;
        }
        if let Some(skills) = &self.skills {
            changed.skills.clone_from(skills);
        }
        if let Some(availability) = self.availability {
            changed.availability = availability;
        }
        if let Some(name) = &self.first_name {
            changed.first_name.clone_from(name);
        }
        if let Some(name) = &self.last_name {
            changed.last_name.clone_from(name);
        }
        changed
    }
}
