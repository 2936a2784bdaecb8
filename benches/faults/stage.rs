use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::rig::Outcome;
use crate::rig::hub::{Hub, Person, ready};
use crate::rig::services::Services;
use crate::wire::Wire;

/// The servers that all rows share, and what they are to make of them.
pub struct Stage {
    pub services: Rc<Mutex<Services>>,
    pub full: bool,
    places: usize,
}

impl Stage {
    pub async fn start(full: bool) -> Outcome<Self> {
        Ok(Self { services: Rc::new(Mutex::new(Services::start().await?)), full, places: 0 })
    }

    pub fn either(&self, short: usize, full: usize) -> usize {
        if self.full { full } else { short }
    }

    pub fn seconds(&self, short: u64, full: u64) -> Duration {
        Duration::from_secs(if self.full { full } else { short })
    }

    /// A new database, keys and queues.
    pub async fn place(&mut self) -> Outcome<Place> {
        self.places += 1;
        let name = format!("place{}", self.places);
        let services = self.services.lock().await;
        let mut connection = PgConnection::connect(&services.database_url()).await?;
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await?;
        connection.close().await?;
        let mut database = url::Url::parse(&services.database_url())?;
        database.set_path(&name);
        Ok(Place {
            database: database.to_string(),
            redis: services.redis_url(),
            rabbitmq: services.amqp_url(),
            prefix: name,
        })
    }
}

/// What a time limit is for this build: a debug build, which shares its machine, has five times as long.
pub fn limit(release: Duration) -> Duration {
    if cfg!(debug_assertions) { release * 5 } else { release }
}

/// Where the hubs of one row keep what they have.
#[derive(Clone, Debug)]
pub struct Place {
    pub database: String,
    pub redis: String,
    pub rabbitmq: String,
    pub prefix: String,
}

impl Place {
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", self.database.clone()),
            ("REDIS_URL", self.redis.clone()),
            ("AMQP_URL", self.rabbitmq.clone()),
            ("NEXUS__REDIS__PREFIX", format!("{}:", self.prefix)),
            ("NEXUS__BROKER__PREFIX", self.prefix.clone()),
        ]
    }

    /// A hub that is ready.
    pub async fn hub(&self) -> Outcome<Hub> {
        self.hub_with(&[]).await
    }

    /// With these settings, too.
    pub async fn hub_with(&self, more: &[(&'static str, String)]) -> Outcome<Hub> {
        let mut hub = Hub::with(&[&self.variables(), more].concat())?;
        hub.start()?;
        ready(&hub.base).await?;
        Ok(hub)
    }

    /// The same place by way of wires.
    pub fn wired(&self) -> Wired {
        let (postgres, redis) = (Wire::to(&self.database), Wire::to(&self.redis));
        let rabbitmq = Wire::to(&self.rabbitmq);
        let place = Self {
            database: postgres.through(&self.database),
            redis: redis.through(&self.redis),
            rabbitmq: rabbitmq.through(&self.rabbitmq),
            prefix: self.prefix.clone(),
        };
        Wired { place, postgres, redis, rabbitmq }
    }
}

pub struct Wired {
    pub place: Place,
    pub postgres: Wire,
    pub redis: Wire,
    pub rabbitmq: Wire,
}

impl Wired {
    pub fn open(&mut self) {
        for wire in [&mut self.postgres, &mut self.redis, &mut self.rabbitmq] {
            wire.open();
        }
    }
}

pub fn customer() -> Value {
    json!({
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": format!("{}@example.com", Uuid::new_v4().simple()),
    })
}

pub async fn made(person: &Person) -> Outcome<String> {
    let made = person.post("/customers", customer()).await?;
    Ok(made["id"].as_str().ok_or("no id")?.to_owned())
}
