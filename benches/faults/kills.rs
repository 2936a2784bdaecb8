//! SIGKILL to the hub, and restarts of its servers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;

use crate::rig::Outcome;
use crate::rig::figures::Figures;
use crate::rig::hub::{Hub, Person, ready};
use crate::rig::load::read;
use crate::rig::services::count;
use crate::rig::soak::{self, Deployment};
use crate::stage::Stage;

const WRITERS: usize = 32;

/// Row 1.
pub async fn messages(stage: &mut Stage) -> Outcome<Figures> {
    let (messages, kills, restarts) = (stage.either(2_000, 50_000), stage.either(2, 20), stage.either(1, 3));
    let deployment = Deployment::start(Rc::clone(&stage.services)).await?;
    soak::inquiries(&deployment, messages, kills, restarts).await
}

/// Row 3. The inquiries are those of row 1, or made here.
pub async fn replies(stage: &mut Stage) -> Outcome<Figures> {
    // In the short form the servers restart in row 1 alone: the work would be done before the first is back.
    let (approvals, kills, restarts) = (stage.either(200, 5_000), stage.either(3, 20), stage.either(0, 3));
    let deployment = Deployment::start(Rc::clone(&stage.services)).await?;
    let database = stage.services.lock().await.database_url();
    if count(&database, "select count(*) from inquiries").await? < approvals {
        soak::inquiries(&deployment, approvals * 3, 0, 0).await?;
    }
    soak::replies(&deployment, approvals, kills, restarts).await
}

/// Row 2, with PostgreSQL, Redis and RabbitMQ.
pub async fn answers(stage: &mut Stage) -> Outcome<Figures> {
    let (posts, kills) = (stage.either(600, 10_000), stage.either(3, 20));
    let mut figures = Figures::default();
    let hub = stage.place().await?.hub().await?;
    through_kills(&mut figures, hub, posts, kills).await?;
    Ok(figures)
}

/// POSTs with an `Idempotency-Key`, each sent until it is answered. Gives the hub back.
pub async fn through_kills(figures: &mut Figures, hub: Hub, posts: usize, kills: usize) -> Outcome<Hub> {
    let admin = Person::admin(&hub.base).await?;
    let hub = RefCell::new(hub);
    let (next, answered) = (Cell::new(0_usize), RefCell::new(Vec::new()));
    let writers = try_join_all((0..WRITERS).map(|_| async {
        while next.get() < posts {
            let number = next.replace(next.get() + 1);
            let email = format!("c{number}@example.com");
            let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": email});
            let id = admin.post("/customers", customer).await?["id"].as_str().ok_or("no id")?.to_owned();
            answered.borrow_mut().push((id, email));
        }
        Outcome::Ok(())
    }));
    let faults = async {
        for kill in 1..=kills {
            while answered.borrow().len() < posts * kill / (kills + 1) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            hub.borrow_mut().kill_and_start()?;
        }
        Outcome::Ok(())
    };
    futures_util::try_join!(writers, faults)?;
    ready(&admin.base).await?;
    let (mut missing, answered) = (0, answered.into_inner());
    for (id, email) in &answered {
        let there = read(&admin, &format!("/customers/{id}")).await;
        missing += usize::from(!there.is_ok_and(|customer| customer["email"] == json!(email)));
    }
    // One more than were made. The total is an estimate where there are so many.
    let beyond = read(&admin, &format!("/customers?limit=1&page={}", answered.len() + 1)).await?;
    let doubled = beyond["data"].as_array().ok_or("no page")?.len();
    figures.note(format!("{} POSTs answered through {kills} kills", answered.len()));
    figures.equal("missing", missing, 0);
    figures.equal("doubled", doubled, 0);
    Ok(hub.into_inner())
}
