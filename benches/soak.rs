//! Nothing lost, nothing doubled, nothing out of order, while everything around is killed and restarted.
//!
//!     scripts/soak [messages=50000] [approvals=5000] [kills=10] [restarts=2]
//!
//! Gateways publish inquiries: every fifth message is a repetition, every hundredth cannot be taken, half of the rest
//! belong to conversations. Meanwhile the hub is killed and PostgreSQL, Redis and RabbitMQ are restarted. Then as many
//! replies are written, approved and sent under the same treatment. Ends with an error when a promise was broken.

mod rig;

use std::rc::Rc;

use rig::services::Services;
use rig::soak::{Deployment, inquiries, replies};
use rig::{Outcome, argument};

fn main() {
    let outcome = actix_web::rt::System::new().block_on(soak());
    if let Err(error) = outcome {
        eprintln!("soak failed: {error}");
        std::process::exit(1);
    }
}

async fn soak() -> Outcome {
    let (messages, approvals) = (argument("messages", 50_000), argument("approvals", 5_000));
    let (kills, restarts) = (argument("kills", 10), argument("restarts", 2));
    let services = Rc::new(tokio::sync::Mutex::new(Services::start().await?));
    let deployment = Deployment::start(services).await?;
    let inquiries = inquiries(&deployment, messages, kills, restarts).await?;
    println!("inquiries: {inquiries}");
    let replies = replies(&deployment, approvals, kills, restarts).await?;
    println!("replies: {replies}");
    if inquiries.kept() && replies.kept() { Ok(()) } else { Err("a promise was broken".into()) }
}
