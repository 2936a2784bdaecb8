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
use actix_web::{Error, HttpMessage, HttpResponse};
use tokio::time::Instant;

use super::State;
use super::envelope::Route;
use super::problem::HttpError;

/// The rate is measured anew whenever so many are done.
const SAMPLE: u64 = 32;
/// How much of the rate is the newest sample's. One by itself is off by a fifth, as a rule.
const NEWEST: f64 = 0.3;
/// What is left of the best rate after a sample that was no better.
const KEPT: f64 = 0.98;
/// What may be under way at an endpoint however long it takes: where each request is slow by itself, there is little to
/// be gained from refusing the next.
const FEW: usize = 32;
/// Hashing passwords has a queue of its own.
const HASHING: [&str; 3] = ["/api/v1/auth/", "/sign-in", "/account/"];

/// Of all endpoints. All clones count together.
#[derive(Clone, Debug, Default)]
pub struct Loads(Arc<RwLock<HashMap<Endpoint, Arc<Load>>>>);

/// With the pattern of its path.
type Endpoint = (Method, String);

pub async fn shed<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let route = request.extensions().get::<Route>().and_then(|route| route.0.clone());
    let route = route.filter(|route| !HASHING.iter().any(|hashing| route.starts_with(hashing)));
    let state = request.app_data::<State>().cloned();
    let (Some(route), Some(state)) = (route, state) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let load = state.loads.of(request.method(), &route);
    if load.is_too_much_for(state.settings.server.shed_above) {
        return Ok(request.into_response(HttpResponse::from_error(HttpError::Busy)).map_into_right_body());
    }
    let _under_way = load.enter();
    Ok(next.call(request).await?.map_into_left_body())
}

impl Loads {
    /// `route`: one there is, so that there are no more entries than routes.
    fn of(&self, method: &Method, route: &str) -> Arc<Load> {
        let endpoint = (method.clone(), route.to_owned());
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

/// While at least half of a few are under way: with less, the rate is that at which requests come, not that at which
/// they could be done.
#[derive(Debug)]
struct Busy {
    since: Instant,
    done: u64,
    /// Done a second, as far as samples have shown; none yet at the beginning of a rush.
    rate: Option<f64>,
    /// What it was at its best. A rush is met by that: it may come after a slow time is over.
    best: Option<f64>,
}

/// A request under way, until it is dropped.
struct UnderWay(Arc<Load>);

impl Default for Load {
    fn default() -> Self {
        let busy = Mutex::new(Busy { since: Instant::now(), done: 0, rate: None, best: None });
        Self { under_way: AtomicUsize::new(0), done: AtomicU64::new(0), busy }
    }
}

impl Load {
    fn enter(self: Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Whether one more would take longer than `patience`, which follows from how many are under way and the rate at
    /// which they get done (Little's law). As long as nothing is known of the rate, all are let in.
    fn is_too_much_for(&self, patience: Duration) -> bool {
        let under_way = self.under_way.load(Ordering::Relaxed);
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, done) = (Instant::now(), self.done.load(Ordering::Relaxed));
        let (elapsed, sample) = (now - busy.since, done - busy.done);
        if under_way < FEW / 2 {
            *busy = Busy { since: now, done, rate: None, best: busy.best };
        } else if !elapsed.is_zero() && (sample >= SAMPLE || elapsed >= patience) {
            let newest = sample as f64 / elapsed.as_secs_f64();
            let rate = busy.rate.map_or(newest, |rate| rate + NEWEST * (newest - rate));
            let best = busy.best.map_or(newest, |best| newest.max(best * KEPT));
            *busy = Busy { since: now, done, rate: Some(rate), best: Some(best) };
        }
        let rate = busy.rate.or(busy.best);
        under_way >= FEW && rate.is_some_and(|rate| under_way as f64 >= rate * patience.as_secs_f64())
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

    /// Under way are `count`, and `SAMPLE` of them get done in `time`.
    async fn sample(load: &Arc<Load>, count: usize, time: Duration) {
        let ones = enter(load, count);
        assert!(!load.is_too_much_for(Duration::MAX));
        tokio::time::advance(time).await;
        drop(enter(load, SAMPLE as usize));
        load.is_too_much_for(Duration::MAX);
        drop(ones);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_are_let_in_however_slow() {
        for (under_way, too_much) in [(FEW - 1, false), (FEW, true)] {
            let load = Arc::<Load>::default();
            let _ones = enter(&load, under_way);
            tokio::time::advance(PATIENCE).await;
            assert_eq!(load.is_too_much_for(PATIENCE), too_much, "{under_way}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_rush_is_let_in_until_something_is_known_of_it() {
        let load = Arc::<Load>::default();
        assert!(!load.is_too_much_for(PATIENCE));
        let _many = enter(&load, 1_000);
        assert!(!load.is_too_much_for(PATIENCE));
        tokio::time::advance(PATIENCE).await;
        assert!(load.is_too_much_for(PATIENCE));
    }

    /// 32 get done in 16 ms, so 100 under way take 50 ms.
    #[tokio::test(start_paused = true)]
    async fn too_much_is_what_would_take_longer_than_one_has_patience() {
        for (under_way, too_much) in [(99, false), (100, true)] {
            let load = Arc::<Load>::default();
            sample(&load, FEW, Duration::from_millis(16)).await;
            let _ones = enter(&load, under_way);
            assert_eq!(load.is_too_much_for(PATIENCE), too_much, "{under_way}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rush_is_met_by_what_the_one_before_has_shown() {
        let load = Arc::<Load>::default();
        sample(&load, FEW, Duration::from_secs(1)).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!load.is_too_much_for(PATIENCE));
        let _many = enter(&load, FEW);
        assert!(load.is_too_much_for(PATIENCE));
    }

    /// One of 2,000 a second, then a slow time, then a rush.
    #[tokio::test(start_paused = true)]
    async fn a_slow_time_that_is_over_is_not_held_against_a_rush() {
        let load = Arc::<Load>::default();
        sample(&load, FEW, Duration::from_millis(16)).await;
        sample(&load, FEW, Duration::from_secs(1)).await;
        assert!(!load.is_too_much_for(PATIENCE));
        let mut rush = enter(&load, 97);
        assert!(!load.is_too_much_for(PATIENCE));
        rush.extend(enter(&load, 1));
        assert!(load.is_too_much_for(PATIENCE), "the best is 98 % of what it was");
    }

    /// One that few requests come to is not a slow one.
    #[tokio::test(start_paused = true)]
    async fn quiet_times_show_nothing() {
        let load = Arc::<Load>::default();
        for _ in 0..10 {
            sample(&load, FEW / 2 - 1, Duration::from_secs(60)).await;
        }
        let _many = enter(&load, 1_000);
        assert!(!load.is_too_much_for(PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn one_sample_is_not_all_that_is_known() {
        let load = Arc::<Load>::default();
        let _few = enter(&load, FEW / 2);
        sample(&load, FEW / 2, Duration::from_millis(16)).await;
        sample(&load, FEW / 2, Duration::from_secs(1)).await;
        // Of 100 and 1.6.
        let _ones = enter(&load, 70 - FEW / 2);
        assert!(!load.is_too_much_for(PATIENCE));
        let _more = enter(&load, 1);
        assert!(load.is_too_much_for(PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_few_are_left() {
        let load = Arc::<Load>::default();
        let mut ones = enter(&load, 1_000);
        tokio::time::advance(PATIENCE).await;
        assert!(load.is_too_much_for(PATIENCE));
        ones.truncate(FEW - 1);
        assert!(!load.is_too_much_for(PATIENCE));
    }
}
