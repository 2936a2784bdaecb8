use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{Outcome, children, cpu_seconds, free_port, giving_way, until};

/// For a server to come up or go down.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Postgres,
    Redis,
    Rabbitmq,
}

/// PostgreSQL, Redis and RabbitMQ with settings as a deployment has them.
pub struct Services {
    postgres: Postgres,
    redis: Server,
    rabbitmq: Server,
    /// Last: a server whose directory is gone does not end.
    directory: TempDir,
}

struct Postgres {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
}

/// A server that stays in the foreground.
struct Server {
    command: Command,
    process: Option<Child>,
    port: u16,
    /// Names the process to end, where that is not the one started.
    pid_file: Option<PathBuf>,
}

impl Services {
    pub async fn start() -> Outcome<Self> {
        let directory = tempfile::Builder::new().prefix("nexus-rig-").tempdir()?;
        // PostgreSQL runs as another user, who must get in.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let postgres = Postgres::start(directory.path())?;
        let mut redis = redis(directory.path())?;
        redis.start().await?;
        let mut rabbitmq = rabbitmq(directory.path())?;
        rabbitmq.start().await?;
        Ok(Self { postgres, redis, rabbitmq, directory })
    }

    /// Down, and up again.
    pub async fn restart(&mut self, service: Service) -> Outcome {
        match service {
            Service::Postgres => self.postgres.control(&["-m", "fast", "restart"]),
            Service::Redis => self.redis.restart().await,
            Service::Rabbitmq => self.rabbitmq.restart().await,
        }
    }

    /// Down, until it is started again.
    pub async fn stop(&mut self, service: Service) -> Outcome {
        match service {
            Service::Postgres => self.postgres.control(&["-m", "fast", "stop"]),
            Service::Redis => self.redis.stop().await,
            Service::Rabbitmq => self.rabbitmq.stop().await,
        }
    }

    pub async fn start_again(&mut self, service: Service) -> Outcome {
        match service {
            Service::Postgres => self.postgres.control(&["start"]),
            Service::Redis => self.redis.start().await,
            Service::Rabbitmq => self.rabbitmq.start().await,
        }
    }

    /// SIGSTOP to all processes of a server; SIGCONT when what this answers is dropped.
    pub fn freeze(&self, service: Service) -> Outcome<Frozen> {
        Frozen::with_children(self.pid(service)?)
    }

    /// CPU seconds used so far, of all its processes.
    pub fn cpu_seconds(&self, service: Service) -> Outcome<f64> {
        let process = self.pid(service)?;
        let all = std::iter::once(process).chain(children(process)?);
        // One that ends meanwhile is in its parent's figure.
        Ok(all.filter_map(cpu_seconds).sum())
    }

    fn pid(&self, service: Service) -> Outcome<u32> {
        let pid = match service {
            Service::Postgres => self.postgres.pid(),
            Service::Redis => self.redis.pid(),
            Service::Rabbitmq => self.rabbitmq.pid(),
        };
        pid.ok_or_else(|| "a server that does not run".into())
    }

    /// Redis forgets everything.
    pub async fn forget_cached(&self) -> Outcome {
        let client = redis::Client::open(self.redis_url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await?;
        Ok(())
    }

    /// One of PostgreSQL's own programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.postgres.programs.join(name)
    }

    /// Whether RabbitMQ believes that it has no memory left; then it reads nothing from who publishes.
    pub fn memory_alarm(&self, on: bool) -> Outcome {
        let home = self.directory.path().join("rabbitmq");
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl");
        command
            .env("HOME", &home)
            .env("RABBITMQ_CONF_ENV_FILE", home.join("env.conf"))
            .args(["-n", &node(self.rabbitmq.port), "set_vm_memory_high_watermark"])
            .arg(if on { "0.000001" } else { "0.4" });
        run(&mut command)
    }

    pub fn database_url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.postgres.port)
    }

    pub fn postgres_port(&self) -> u16 {
        self.postgres.port
    }

    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.redis.port)
    }

    pub fn amqp_url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.rabbitmq.port)
    }
}

impl Postgres {
    fn start(directory: &Path) -> Outcome<Self> {
        let data = directory.join("postgres");
        fs::create_dir(&data)?;
        let this = Self { programs: newest_postgres()?, data, port: free_port()? };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&this.data))?;
        }
        run(this.program("initdb").args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]))?;
        this.control(&["start"])?;
        Ok(this)
    }

    fn pid(&self) -> Option<u32> {
        let told = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        told.lines().next()?.trim().parse().ok()
    }

    fn control(&self, what: &[&str]) -> Outcome {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300",
            self.port
        );
        let log = self.data.join("log");
        let mut command = self.program("pg_ctl");
        command.arg("-w").arg("-l").arg(log).args(["-o", &options]).args(what);
        run(&mut command)
    }

    /// PostgreSQL refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = giving_way("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            giving_way(program)
        };
        command.arg("-D").arg(&self.data);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Err(error) = self.control(&["-m", "immediate", "stop"]) {
            eprintln!("PostgreSQL did not stop: {error}");
        }
    }
}

impl Server {
    async fn start(&mut self) -> Outcome {
        self.process = Some(self.command.spawn()?);
        let port = self.port;
        until("a server listens", PATIENCE, async || TcpStream::connect(("127.0.0.1", port)).await.is_ok())
            .await
            .map(drop)
    }

    async fn restart(&mut self) -> Outcome {
        self.stop().await?;
        self.start().await
    }

    async fn stop(&mut self) -> Outcome {
        self.terminate();
        if let Some(process) = &mut self.process {
            until("a server ends", PATIENCE, async || matches!(process.try_wait(), Ok(Some(_)))).await?;
        }
        self.process = None;
        Ok(())
    }

    fn pid(&self) -> Option<u32> {
        let process = self.process.as_ref()?;
        let told = self.pid_file.as_ref().and_then(|file| fs::read_to_string(file).ok());
        told.map_or_else(|| Some(process.id()), |pid| pid.trim().parse().ok())
    }

    fn terminate(&self) {
        let Some(pid) = self.pid() else { return };
        if let Err(error) = signal("-TERM", pid) {
            eprintln!("a server did not end: {error}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.terminate();
        if let Some(process) = &mut self.process {
            let _ = process.wait();
        }
    }
}

/// Processes that stand still, until it is dropped.
pub struct Frozen(Vec<u32>);

impl Frozen {
    /// The parent first, so that it starts no more of them.
    fn with_children(first: u32) -> Outcome<Self> {
        let (mut frozen, mut next) = (Self(Vec::new()), vec![first]);
        while let Some(pid) = next.pop() {
            if let Err(error) = signal("-STOP", pid)
                && exists(pid)
            {
                return Err(error);
            }
            next.extend(children(pid)?);
            frozen.0.push(pid);
        }
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for &pid in self.0.iter().filter(|&&pid| exists(pid)) {
            if let Err(error) = signal("-CONT", pid) {
                eprintln!("{pid} still stands: {error}");
            }
        }
    }
}

fn signal(which: &str, pid: u32) -> Outcome {
    run(Command::new("kill").args([which, &pid.to_string()]))
}

fn exists(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Keeps what it acknowledged, as the README asks of a deployment.
fn redis(directory: &Path) -> Outcome<Server> {
    let port = free_port()?;
    let mut command = giving_way("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(directory);
    command
        .args(["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"])
        .stdout(Stdio::null());
    Ok(Server { command, process: None, port, pid_file: None })
}

fn rabbitmq(directory: &Path) -> Outcome<Server> {
    let home = directory.join("rabbitmq");
    fs::create_dir(&home)?;
    fs::write(home.join("plugins"), "[].\n")?;
    let port = free_port()?;
    // Of its own, or what the machine's node is told would be told this one, too.
    fs::write(home.join("rabbitmq.conf"), format!("listeners.tcp.default = 127.0.0.1:{port}\n"))?;
    fs::write(home.join("env.conf"), "")?;
    // Past Debian's wrapper, which would change to a user of its own.
    let mut command = giving_way("/usr/lib/rabbitmq/bin/rabbitmq-server");
    command
        // Where it leaves its dumps.
        .current_dir(&home)
        .env("HOME", &home)
        .env("RABBITMQ_NODENAME", node(port))
        .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf"))
        .env("RABBITMQ_CONF_ENV_FILE", home.join("env.conf"))
        .env("RABBITMQ_DIST_PORT", free_port()?.to_string())
        .env("RABBITMQ_MNESIA_BASE", home.join("data"))
        .env("RABBITMQ_LOG_BASE", home.join("log"))
        .env("RABBITMQ_LOGS", home.join("log").join("node.log"))
        .env("RABBITMQ_PID_FILE", home.join("pid"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // What is started is a script around the node.
    Ok(Server { command, process: None, port, pid_file: Some(home.join("pid")) })
}

/// The number that a query answers with.
pub async fn count(database: &str, sql: &'static str) -> Outcome<usize> {
    let mut connection = PgConnection::connect(database).await?;
    let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(usize::try_from(found)?)
}

fn node(port: u16) -> String {
    format!("nexus_rig_{port}@localhost")
}

fn newest_postgres() -> Outcome<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").map_err(|_| "PostgreSQL's server is not installed")?;
    let programs = versions.filter_map(Result::ok).map(|entry| entry.path().join("bin"));
    programs.filter(|path| path.join("initdb").exists()).max().ok_or_else(|| "no initdb".into())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn run(command: &mut Command) -> Outcome {
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if done.success() { Ok(()) } else { Err(format!("{command:?}: {done}").into()) }
}
