//! What must be there before the first request: the schema and someone who can sign in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_actors::domain::Checks;
use nexus_actors::domain::user::{NewUser, Role};
use nexus_actors::store::users::HasNoUsers;
use nexus_actors::user_desk::CreateUser;
use nexus_actors::{HubError, HubResult};
use rand::RngCore;

use crate::app::StartError;
use crate::http::HttpState;
use crate::sessions::{Owner, check_password};
use crate::settings::{BootstrapSettings, Environment};

const GENERATED_EMAIL: &str = "admin@nexus-hub.example";

/// Refuses a first admin who could not be made: the hub would wait for ever to become ready.
pub fn check(settings: &BootstrapSettings) -> Result<(), StartError> {
    if settings.admin_email.is_empty() {
        return Ok(());
    }
    match checked(admin(settings.admin_email.clone(), settings.admin_password.clone())) {
        Err(HubError::Invalid(errors)) => {
            let at = |pointer| errors.iter().find(|error| error.pointer == pointer);
            let (setting, error) = match at("/email") {
                Some(error) => ("BOOTSTRAP_ADMIN_EMAIL", Some(error)),
                None => ("BOOTSTRAP_ADMIN_PASSWORD", errors.first()),
            };
            let problem = error.map(|error| error.message.clone()).unwrap_or_default();
            Err(StartError::Setting { setting, problem })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Safe to repeat, and to run on several instances at once.
pub async fn prepare(state: &HttpState) -> HubResult<()> {
    state.hub.storage.prepare().await?;
    if state.hub.users.ask(HasNoUsers).await? {
        first_admin(state).await?;
    }
    Ok(())
}

async fn first_admin(state: &HttpState) -> HubResult<()> {
    let bootstrap = &state.settings.bootstrap;
    let (email, password, generated) = if !bootstrap.admin_email.is_empty() {
        (bootstrap.admin_email.clone(), bootstrap.admin_password.clone(), false)
    } else if state.settings.environment == Environment::Development {
        (GENERATED_EMAIL.to_owned(), generated_password(), true)
    } else {
        tracing::warn!(
            "nobody can sign in yet: set BOOTSTRAP_ADMIN_EMAIL and BOOTSTRAP_ADMIN_PASSWORD, or run `nexus-hub user create`"
        );
        return Ok(());
    };
    let user = checked(admin(email, password.clone()))?;
    let email = user.email.clone();
    let password_hash = state.passwords.hash(password.clone()).await?;
    match state.hub.user_desk.ask(CreateUser { caller: None, user, password_hash }).await {
        Ok(_) if generated => {
            println!("First start: sign in as {email} with the password {password} (shown this once).");
            Ok(())
        }
        Ok(_) => {
            tracing::info!(email, "created the first admin");
            Ok(())
        }
        // Another instance was faster.
        Err(HubError::Taken { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The rules for people made outside of HTTP are the same.
pub fn checked(user: NewUser) -> HubResult<NewUser> {
    let mut checks = Checks::new();
    let user = user.check(&mut checks);
    let owner = Owner { email: &user.email, first_name: &user.first_name, last_name: &user.last_name };
    check_password(&mut checks, "/password", &user.password, owner);
    Ok(checks.finish(user)?)
}

fn admin(email: String, password: String) -> NewUser {
    let (first_name, last_name) = ("First".to_owned(), "Admin".to_owned());
    NewUser { email, password, role: Role::Admin, first_name, last_name }
}

/// 120 random bits.
fn generated_password() -> String {
    let mut bytes = [0_u8; 15];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
