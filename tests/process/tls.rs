//! TLS to PostgreSQL, Redis and RabbitMQ, asked for by their URLs. A server has to show a certificate for its name, from
//! an authority this machine trusts.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use nexus_hub::broker::Topology;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::broker::{EMAIL, PASSWORD};
use crate::harness::{Engine, Place, amqp_url, redis_url, within};
use crate::hub::{Hub, refusal, run};
use crate::rabbit::Rabbit;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn everything_is_reached_by_tls_that_is_verified() {
    with_tls("127.0.0.1", async |directory, authority, fronts, urls| {
        let hub = start(directory, urls, Some(authority)).await;
        hub.is_ready().await;
        let up = json!({"database": "up", "redis": "up", "broker": "up", "actors": "up"});
        within(PATIENCE, "all is up", async || hub.get("//health").await.json()["checks"] == up).await;
        let (admin, _) = hub.sign_in(EMAIL, PASSWORD).await;
        admin.get("/customers").await.expect(200);
        for front in fronts {
            assert!(front.taken() > 0, "{} was reached by another way", front.name);
        }
        hub.stop().await;
    });
}

#[test]
fn a_certificate_of_an_authority_nobody_knows_is_refused() {
    with_tls("127.0.0.1", async |directory, _, fronts, urls| refused(directory, None, fronts, urls).await);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    with_tls("elsewhere.example", async |directory, authority, fronts, urls| {
        refused(directory, Some(authority), fronts, urls).await;
    });
}

const PRODUCTION: [(&str, &str); 5] = [
    ("APP_ENV", "production"),
    ("HOST", "127.0.0.1"),
    ("PORT", "0"),
    ("JWT_SECRET", "0123456789-0123456789-0123456789-access"),
    ("JWT_REFRESH_SECRET", "0123456789-0123456789-0123456789-refresh"),
];

#[test]
fn production_refuses_a_server_elsewhere_without_verified_tls() {
    // Addresses that are nobody's (RFC 5737).
    for (named, variables) in [
        ("DATABASE_URL", &[("DATABASE_URL", "postgres://203.0.113.1/nexus?sslmode=require")][..]),
        ("DATABASE_URL", &[("DB_HOST", "203.0.113.1"), ("DB_PASSWORD", "not-to-be-printed")]),
        ("REDIS_URL", &[("REDIS_URL", "redis://:not-to-be-printed@203.0.113.2")]),
        ("AMQP_URL", &[("AMQP_URL", "amqp://hub:not-to-be-printed@203.0.113.3")]),
        ("SMTP_URL", &[("SMTP_URL", "smtp://203.0.113.4"), ("SMTP_FROM", "support@hub.example")]),
        // What is allowed of one is not of another.
        (
            "REDIS_URL",
            &[
                ("REDIS_URL", "redis://203.0.113.2"),
                ("NEXUS__SECURITY__ALLOW_PLAINTEXT", "database,broker,smtp"),
            ],
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let variables = [&PRODUCTION, variables].concat();
        for command in ["serve", "migrate"] {
            let refused = refusal(&run(directory.path(), &variables, &[command], ""));
            assert!(refused.contains(&format!("setting {named}: ")), "{variables:?}: {refused}");
            assert!(refused.contains("NEXUS__SECURITY__ALLOW_PLAINTEXT"), "{refused}");
            assert!(!refused.contains("not-to-be-printed"), "{refused}");
        }
    }
}

#[test]
fn production_says_what_it_is_allowed_to_talk_to_without_verified_tls() {
    actix_web::rt::System::new().block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let variables = [
            ("DATABASE_URL", "postgres://203.0.113.1/nexus?sslmode=require"),
            ("REDIS_URL", "redis://203.0.113.2"),
            ("AMQP_URL", "amqps://hub@203.0.113.3"),
            ("NEXUS__SECURITY__ALLOW_PLAINTEXT", "database, redis"),
        ];
        let hub = Hub::start(directory.path(), &[&PRODUCTION[..], &variables].concat()).await;
        let said = |setting: &str| {
            hub.errors().lines().any(|line| line.contains("without verified TLS") && line.contains(setting))
        };
        within(PATIENCE, "the database and Redis are named", async || {
            said("DATABASE_URL") && said("REDIS_URL")
        })
        .await;
        assert!(!said("AMQP_URL"));
        hub.kill();
    });
}

#[test]
fn production_starts_with_servers_of_its_own_machine() {
    actix_web::rt::System::new().block_on(async {
        let directory = tempfile::tempdir().unwrap();
        // Nobody is there; it starts all the same.
        let variables = [
            ("DB_HOST", "localhost"),
            ("DB_PORT", "9"),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", "9"),
            ("AMQP_URL", "amqp://hub:secret@localhost:9"),
        ];
        let hub = Hub::start(directory.path(), &[&PRODUCTION[..], &variables].concat()).await;
        hub.get("//health/live").await.expect(200);
        assert!(!hub.errors().contains("without verified TLS"), "{}", hub.errors());
        hub.kill();
    });
}

async fn refused(directory: &Path, authority: Option<&Path>, fronts: &[Front], urls: &[(&str, String)]) {
    let hub = start(directory, urls, authority).await;
    for front in fronts {
        let what = format!("{} is tried", front.name);
        within(PATIENCE, &what, async || front.refused.load(Ordering::SeqCst) >= 2).await;
        assert_eq!(front.taken(), 0, "{}", front.name);
    }
    let checks = &hub.get("//health").await.expect(503)["checks"];
    assert_eq!(
        (&checks["database"], &checks["redis"], &checks["broker"]),
        (&json!("down"), &json!("down"), &json!("down"))
    );
    hub.kill();
}

async fn start(directory: &Path, urls: &[(&str, String)], authority: Option<&Path>) -> Hub {
    let mut variables = vec![
        ("APP_ENV", "test"),
        ("RUST_LOG", "info,lapin=off"),
        ("BOOTSTRAP_ADMIN_EMAIL", EMAIL),
        ("BOOTSTRAP_ADMIN_PASSWORD", PASSWORD),
        ("NEXUS__REDIS__TIMEOUT", "10s"),
    ];
    variables.extend(urls.iter().map(|(name, value)| (*name, value.as_str())));
    if let Some(authority) = authority {
        variables.push(("SSL_CERT_FILE", authority.to_str().unwrap()));
    }
    Hub::start(directory, &variables).await
}

/// In front of each service, a server with a certificate for `name` of an authority of this test's own.
fn with_tls(name: &str, test: impl AsyncFnOnce(&Path, &Path, &[Front], &[(&str, String)])) {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(Engine::Full).await;
        let directory = tempfile::tempdir().unwrap();
        let (authority, acceptor) = certified(directory.path(), name);
        let database = format!("{}?sslmode=verify-full", place.database_url());
        let fronts = [
            Front::to("PostgreSQL", &database, 5432, &acceptor).await,
            Front::to("Redis", &redis_url().replace("redis://", "rediss://"), 6379, &acceptor).await,
            Front::to("RabbitMQ", &amqp_url().replace("amqp://", "amqps://"), 5672, &acceptor).await,
        ];
        let urls = [
            ("DATABASE_URL", fronts[0].url.clone()),
            ("REDIS_URL", fronts[1].url.clone()),
            ("AMQP_URL", fronts[2].url.clone()),
            ("NEXUS__REDIS__PREFIX", format!("{}:", place.name)),
            ("NEXUS__BROKER__PREFIX", place.name.clone()),
        ];
        let tested = test(directory.path(), &authority, &fronts, &urls);
        let outcome = AssertUnwindSafe(tested).catch_unwind().await;
        Rabbit::clean_up(&Topology::new(&place.name, ["email", "chat"])).await;
        place.remove().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

fn certified(directory: &Path, name: &str) -> (PathBuf, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let path = directory.join("authority.pem");
    std::fs::write(&path, authority.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (path, TlsAcceptor::from(Arc::new(config)))
}

/// Ends TLS, and passes on what comes in to a server that has none.
struct Front {
    name: &'static str,
    /// By way of this one.
    url: String,
    taken: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Front {
    async fn to(name: &'static str, url: &str, default_port: u16, acceptor: &TlsAcceptor) -> Self {
        let mut url = url::Url::parse(url).unwrap();
        let far = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(default_port));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (taken, refused) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (acceptor, asks_first) = (acceptor.clone(), url.scheme().starts_with("postgres"));
        let counts = (Arc::clone(&taken), Arc::clone(&refused));
        actix_web::rt::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (acceptor, far, (taken, refused)) = (acceptor.clone(), far.clone(), counts.clone());
                actix_web::rt::spawn(async move {
                    match pass_on(near, &far, asks_first, &acceptor, &taken).await {
                        Ok(()) => {}
                        Err(_) => drop(refused.fetch_add(1, Ordering::SeqCst)),
                    }
                });
            }
        });
        Self { name, url: url.to_string(), taken, refused }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// # Errors
/// When there is no agreement on TLS.
async fn pass_on(
    mut near: TcpStream,
    far: &str,
    asks_first: bool,
    acceptor: &TlsAcceptor,
    taken: &AtomicUsize,
) -> std::io::Result<()> {
    if asks_first {
        // PostgreSQL's SSLRequest, and yes.
        near.read_exact(&mut [0; 8]).await?;
        near.write_all(b"S").await?;
    }
    let mut near = acceptor.accept(near).await?;
    // A client refuses after the server's side of the handshake is done, before it says anything.
    let mut first = [0; 1024];
    let count = near.read(&mut first).await?;
    if count == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    taken.fetch_add(1, Ordering::SeqCst);
    let mut far = TcpStream::connect(far).await?;
    far.write_all(&first[..count]).await?;
    let _ = copy_bidirectional(&mut near, &mut far).await;
    Ok(())
}
