//! One call for all who would make one at the same time.

use tokio::sync::{mpsc, oneshot};

/// Bounds what one call may have to say.
const AT_ONCE: usize = 256;

/// While a call is under way, whoever comes waits for the next, which is made for all of them. So a call begins after
/// everybody whom it answers has asked, and there are the fewer for each the more there is to do.
#[derive(Clone, Debug)]
pub(super) struct Together<Q, A>(mpsc::UnboundedSender<(Q, oneshot::Sender<A>)>);

impl<Q: Send + 'static, A: Send + 'static> Together<Q, A> {
    /// `call` answers each, in their order. Must be called inside the runtime that lives as long as the process: a task
    /// in it makes the calls.
    pub fn start<F>(call: impl Fn(Vec<Q>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Vec<A>> + Send,
    {
        let (asking, mut asked) = mpsc::unbounded_channel::<(Q, oneshot::Sender<A>)>();
        tokio::spawn(async move {
            let mut all = Vec::new();
            while asked.recv_many(&mut all, AT_ONCE).await > 0 {
                let (questions, waiting): (Vec<_>, Vec<_>) = all.drain(..).unzip();
                for (answer, asker) in call(questions).await.into_iter().zip(waiting) {
                    // One that no longer waits needs none.
                    let _ = asker.send(answer);
                }
            }
        });
        Self(asking)
    }

    /// `None` when the call left it out.
    pub async fn ask(&self, question: Q) -> Option<A> {
        let (asker, answer) = oneshot::channel();
        self.0.send((question, asker)).ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_comes_during_a_call_waits_for_the_next_with_all_the_others() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Semaphore::new(0));
        let together = Together::start({
            let (calls, gate) = (Arc::clone(&calls), Arc::clone(&gate));
            move |asked: Vec<u32>| {
                calls.lock().unwrap().push(asked.clone());
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.unwrap().forget();
                    asked.iter().map(|number| number * 10).collect()
                }
            }
        });
        let first = tokio::spawn({
            let together = together.clone();
            async move { together.ask(1).await }
        });
        while calls.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let rest = tokio::spawn(async move { join_all((2..=5).map(|number| together.ask(number))).await });
        tokio::task::yield_now().await;
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), Some(10));
        assert_eq!(rest.await.unwrap(), [20, 30, 40, 50].map(Some));
        assert_eq!(*calls.lock().unwrap(), [vec![1], vec![2, 3, 4, 5]]);
    }

    #[tokio::test]
    async fn whoever_gets_no_answer_is_told_so() {
        let together = Together::<u32, u32>::start(|_| async { Vec::new() });
        assert_eq!(together.ask(1).await, None);
    }
}
