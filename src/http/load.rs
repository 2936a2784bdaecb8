//! Load shedding: an endpoint with more under way than it can answer in time refuses the next request at once, before
//! anything is spent on it. What it accepts stays quick, and other endpoints have nothing to do with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use tokio::time::Instant;

use super::State;
use super::problem::HttpError;

/// How often the rate is measured anew.
const WINDOW: Duration = Duration::from_millis(100);
/// What may be under way at an endpoint however long it takes: where each request is slow by itself, there is little to
/// be gained from refusing the next.
const FEW: usize = 32;
/// Hashing passwords has a queue of its own.
const HASHING: &str = "/api/v1/auth/";

/// Of all endpoints. All clones count together.
#[derive(Clone, Debug, Default)]
pub struct Loads(Arc<RwLock<HashMap<Endpoint, Arc<Load>>>>);

/// With the pattern of its path.
type Endpoint = (Method, String);

pub async fn shed<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let pattern = request.match_pattern().filter(|pattern| !pattern.starts_with(HASHING));
    let state = request.app_data::<State>().cloned();
    let (Some(pattern), Some(state)) = (pattern, state) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let load = state.loads.of(request.method(), pattern);
    if load.is_too_much_for(state.settings.server.shed_above) {
        return Ok(request.into_response(HttpError::Busy.error_response()).map_into_right_body());
    }
    let _under_way = load.enter();
    Ok(next.call(request).await?.map_into_left_body())
}

impl Loads {
    /// `pattern`: of a route there is, so that there are no more entries than routes.
    fn of(&self, method: &Method, pattern: String) -> Arc<Load> {
        let endpoint = (method.clone(), pattern);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&endpoint).cloned();
        known.unwrap_or_else(|| {
            let mut loads = self.0.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loads.entry(endpoint).or_default())
        })
    }
}

/// Of one endpoint.
#[derive(Debug)]
struct Load {
    under_way: AtomicUsize,
    done: AtomicU64,
    busy: Mutex<Busy>,
}

/// Since more than a few were under way.
#[derive(Debug)]
struct Busy {
    since: Instant,
    done: u64,
    /// Done a second, in the window before; none in the first.
    rate: Option<f64>,
}

/// A request under way, until it is dropped.
struct UnderWay(Arc<Load>);

impl Default for Load {
    fn default() -> Self {
        let busy = Mutex::new(Busy { since: Instant::now(), done: 0, rate: None });
        Self { under_way: AtomicUsize::new(0), done: AtomicU64::new(0), busy }
    }
}

impl Load {
    fn enter(self: Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Whether one more would take longer than `patience`, which follows from how many are under way and the rate at
    /// which they got done lately (Little's law). A rush that has not lasted for a tenth of a second is let in: nothing is
    /// known of it yet; nor where nothing gets done, until that has lasted as long as one has patience.
    fn is_too_much_for(&self, patience: Duration) -> bool {
        let under_way = self.under_way.load(Ordering::Relaxed);
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, done) = (Instant::now(), self.done.load(Ordering::Relaxed));
        let elapsed = now - busy.since;
        if under_way <= FEW {
            *busy = Busy { since: now, done, rate: None };
        } else if elapsed >= WINDOW && (done > busy.done || elapsed >= patience) {
            let rate = (done - busy.done) as f64 / elapsed.as_secs_f64();
            *busy = Busy { since: now, done, rate: Some(rate) };
        }
        busy.rate.is_some_and(|rate| under_way as f64 > rate * patience.as_secs_f64())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn enter(load: &Arc<Load>, count: usize) -> Vec<UnderWay> {
        (0..count).map(|_| Arc::clone(load).enter()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_are_let_in_however_slow() {
        for (under_way, too_much) in [(FEW, false), (FEW + 1, true)] {
            let load = Arc::<Load>::default();
            let _ones = enter(&load, under_way);
            tokio::time::advance(WINDOW).await;
            assert_eq!(load.is_too_much_for(PATIENCE), too_much, "{under_way}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rush_after_a_quiet_time_is_let_in_until_it_lasts() {
        let load = Arc::<Load>::default();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!load.is_too_much_for(PATIENCE));
        let _many = enter(&load, 1_000);
        assert!(!load.is_too_much_for(PATIENCE));
        tokio::time::advance(WINDOW).await;
        assert!(load.is_too_much_for(PATIENCE));
    }

    /// 200 get done in a tenth of a second, so 100 under way take 50 ms.
    #[tokio::test(start_paused = true)]
    async fn too_much_is_what_would_take_longer_than_one_has_patience() {
        for (under_way, too_much) in [(100, false), (101, true)] {
            let load = Arc::<Load>::default();
            assert!(!load.is_too_much_for(PATIENCE));
            let _ones = enter(&load, under_way);
            drop(enter(&load, 200));
            tokio::time::advance(WINDOW).await;
            assert_eq!(load.is_too_much_for(PATIENCE), too_much, "{under_way}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_few_are_left() {
        let load = Arc::<Load>::default();
        let mut ones = enter(&load, 1_000);
        tokio::time::advance(WINDOW).await;
        assert!(load.is_too_much_for(PATIENCE));
        ones.truncate(FEW);
        assert!(!load.is_too_much_for(PATIENCE));
    }
}
