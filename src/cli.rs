//! The command line.

mod audit;
mod dead_letters;

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use nexus_actors::domain::user::{NewUser, Role};
use nexus_actors::store::users::FindCredentials;
use nexus_actors::supervision::{Restarts, Supervision};
use nexus_actors::user_desk::{CreateUser, ResetTotp};
use nexus_actors::{Clock, Hub, HubError, HubSettings};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, hub_settings, lock_database, open_storage};
use crate::broker::Address;
use crate::sessions::Passwords;
use crate::settings::Settings;
use crate::{asyncapi, bootstrap, demo, http, logging};

/// Why the process ends with a failure, in one line.
type Failure = Box<dyn std::error::Error>;

/// A customer-support hub where no reply reaches a customer until a manager has approved exactly that text.
#[derive(Debug, Parser)]
#[command(name = "nexus-hub", version)]
pub struct Cli {
    /// Where the settings files are.
    #[arg(long, env = "NEXUS_CONFIG_DIR", default_value = "config", global = true)]
    config_dir: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub (the default).
    Serve,
    /// Bring the database's schema up to date.
    Migrate,
    /// Manage users.
    #[command(subcommand)]
    User(UserCommand),
    /// See to messages that gateways published and the hub could not take.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// See to the audit trail.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Load a realistic demo data set into an empty hub.
    Demo,
    /// Print the OpenAPI 3.1 document: what clients send over HTTP.
    Openapi,
    /// Print the AsyncAPI 3.0 document: what crosses the broker.
    Asyncapi,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Create a user. Without --password-stdin the password is asked for.
    Create(CreateArguments),
    /// Take the second factor off a user who has lost it, and end their sessions.
    ResetTotp(ResetTotpArguments),
}

#[derive(Debug, Args)]
struct ResetTotpArguments {
    #[arg(long)]
    email: String,
}

#[derive(Debug, Args)]
struct CreateArguments {
    #[arg(long)]
    email: String,
    /// cso, manager or admin
    #[arg(long)]
    role: Role,
    #[arg(long)]
    first_name: String,
    #[arg(long)]
    last_name: String,
    /// Read the password from standard input.
    #[arg(long)]
    password_stdin: bool,
}

impl Cli {
    /// Runs the command inside an actix system.
    pub async fn run(self) -> ExitCode {
        let command = self.command.unwrap_or(Command::Serve);
        // These need no settings, so that they work anywhere.
        if let Command::Openapi = command {
            return ended(print_openapi());
        }
        if let Command::Asyncapi = command {
            return ended(print_asyncapi());
        }
        let settings = match Settings::load(&self.config_dir, std::env::vars()) {
            Ok(settings) => settings,
            Err(error) => return ended(Err(error.into())),
        };
        logging::start(&settings.log);
        ended(match command {
            Command::Serve => serve(settings).await,
            Command::Migrate => migrate(&settings).await,
            Command::User(UserCommand::Create(arguments)) => create_user(&settings, arguments).await,
            Command::User(UserCommand::ResetTotp(arguments)) => reset_totp(&settings, &arguments.email).await,
            Command::DeadLetters(command) => see_to_dead_letters(&settings, command).await,
            Command::Audit(command) => audit::run(&settings, command).await,
            Command::Demo => load_demo(&settings).await,
            Command::Openapi | Command::Asyncapi => Ok(()),
        })
    }
}

fn ended(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nexus-hub: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let environment = settings.environment.name().to_owned();
    let (storage, broker) = (describe_storage(&settings), describe_broker(&settings));
    // Before anyone is told that there is something to stop.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut app = App::start(settings, Clock::system())?;
    println!(
        "Customer Nexus Hub listens on http://{} ({environment}, {storage}; broker: {broker})",
        app.address
    );
    let supervision = app.hub.supervision.clone();
    let stopped_by = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        actor = supervision.failed() => Some(actor),
        () = async { app.ready().await; std::future::pending().await } => None,
    };
    tracing::info!("shutting down");
    let clean = app.stop().await;
    match stopped_by {
        Some(actor) => Err(format!("{actor} keeps failing; see the log").into()),
        None if clean => Ok(()),
        None => Err("some work did not finish within shutdown.timeout".into()),
    }
}

async fn migrate(settings: &Settings) -> Result<(), Failure> {
    open_storage(settings, None)?.prepare().await?;
    println!("The schema is up to date ({}).", describe_storage(settings));
    Ok(())
}

/// Not beside a hub on the same SQLite file: it keeps what it has read, and the demo changes what it has made.
async fn load_demo(settings: &Settings) -> Result<(), Failure> {
    let _lock = lock_database(&settings.database)?;
    demo::load(settings).await
}

async fn see_to_dead_letters(settings: &Settings, command: dead_letters::DeadLetters) -> Result<(), Failure> {
    let _lock = if command.writes() { lock_database(&settings.database)? } else { None };
    let hub = offline_hub(settings, Clock::system(), command.writes()).await?;
    let outcome = dead_letters::run(&hub, command).await;
    hub.shutdown(settings.shutdown.timeout).await;
    outcome
}

async fn create_user(settings: &Settings, arguments: CreateArguments) -> Result<(), Failure> {
    let password = read_password(arguments.password_stdin)?;
    let user = NewUser {
        email: arguments.email,
        password,
        role: arguments.role,
        first_name: arguments.first_name,
        last_name: arguments.last_name,
    };
    let user = bootstrap::checked(user).map_err(explained)?;
    let hub = offline_hub(settings, Clock::system(), false).await?;
    let password_hash = Passwords::new(1).hash(user.password.clone()).await?;
    let created =
        hub.user_desk.ask(CreateUser { caller: None, user, password_hash }).await.map_err(explained)?;
    println!("Created the {} {} ({}).", created.role, created.email, created.id);
    hub.shutdown(settings.shutdown.timeout).await;
    Ok(())
}

/// Not beside a hub on the same SQLite file, which would go on asking for a code from memory.
async fn reset_totp(settings: &Settings, email: &str) -> Result<(), Failure> {
    let _lock = lock_database(&settings.database)?;
    let hub = offline_hub(settings, Clock::system(), false).await?;
    let found = hub.users.ask(FindCredentials(email.to_owned())).await?;
    let user = found.map(|credentials| credentials.user).ok_or_else(|| format!("no user {email}"))?;
    hub.user_desk.ask(ResetTotp { caller: None, user_id: user.id }).await.map_err(explained)?;
    println!("{} signs in without a second factor from now on.", user.email);
    hub.shutdown(settings.shutdown.timeout).await;
    Ok(())
}

/// The actors on the configured database, without HTTP around them and without a broker: what they have to tell waits
/// for a hub that serves. `hands_out`: see [`HubSettings`].
pub async fn offline_hub(settings: &Settings, clock: Clock, hands_out: bool) -> Result<Hub, Failure> {
    let redis = crate::app::connect_redis(settings)?;
    let storage = open_storage(settings, redis.as_ref())?;
    storage.prepare().await?;
    let supervision = Supervision::new(Restarts::default());
    let hub_settings = HubSettings { hands_out, ..hub_settings(settings, 1) };
    Ok(Hub::start(hub_settings, supervision, None, storage, clock))
}

/// One line, with every field that was refused.
fn explained(error: HubError) -> Failure {
    match error {
        HubError::Invalid(errors) => {
            let fields: Vec<_> =
                errors.iter().map(|one| format!("{} {}", &one.pointer[1..], one.message)).collect();
            fields.join("; ").into()
        }
        other => other.to_string().into(),
    }
}

fn read_password(from_stdin: bool) -> Result<String, Failure> {
    let mut input = std::io::stdin();
    if !from_stdin && input.is_terminal() {
        eprint!("Password: ");
        std::io::stderr().flush()?;
        let mut line = String::new();
        input.read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    if !from_stdin {
        return Err("pass --password-stdin to read the password from standard input".into());
    }
    let mut text = String::new();
    input.read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn print_openapi() -> Result<(), Failure> {
    println!("{}", http::openapi::document().to_pretty_json()?);
    Ok(())
}

fn print_asyncapi() -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(&asyncapi::document())?);
    Ok(())
}

/// Where things are kept, without credentials.
pub fn describe_storage(settings: &Settings) -> String {
    let database = match url::Url::parse(&settings.database.url) {
        Ok(url) if url.scheme().starts_with("postgres") => {
            format!("PostgreSQL at {}{}", url.host_str().unwrap_or_default(), url.path())
        }
        Ok(_) | Err(_) => {
            let path = settings.database.url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
            format!("SQLite in {path}")
        }
    };
    let sessions = if settings.uses_redis() { "Redis" } else { "in process" };
    format!("{database}; sessions and cache: {sessions}")
}

/// Where messages go, without credentials.
fn describe_broker(settings: &Settings) -> String {
    match Address::parse(&settings.broker.url) {
        Ok(address) => format!("RabbitMQ at {}", address.host()),
        Err(_) => "in process".to_owned(),
    }
}
