//! Password hashing on threads of its own: Argon2id (RFC 9106) with a bounded, fair queue.
//!
//! It must never run on the threads that answer requests, and a request that goes away must not free its place while
//! its hash is still being computed: the place belongs to the job.

use super::crypto::Mac;
use super::password;
use super::recipe::Recipe;
use super::stored::{Stored, Unreadable};
use super::turns::{Full, Seat, Turns};
use crate::{Error, Limits, Random, limits};
use argon2::{Algorithm, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stead_wire::Code;
use tokio::sync::oneshot;

/// OWASP's second recommendation: 19 MiB, two passes, one lane. About 25 ms.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const OUTPUT_BYTES: usize = 32;
/// Which pepper new hashes are made with, in base64 as `keyid` has it: `p1`.
const PEPPER: &str = "cDE";

/// The service. Its threads end with it.
pub(super) struct Hashing {
    queue: Arc<Queue>,
    pepper: Mac,
    /// A hash of nothing under the current numbers, so that an unknown user costs as much as a known one.
    decoy: Stored,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Turns<Job>,
    closed: bool,
}

struct Job {
    password: Vec<u8>,
    recipe: Recipe,
    /// How many it gives.
    bytes: usize,
    queued: Instant,
    answer: oneshot::Sender<Result<Vec<u8>, Error>>,
}

impl Hashing {
    pub(super) fn start(limits: &Limits, pepper: Mac, random: &dyn Random) -> Result<Self, Error> {
        let mut nothing = [0; OUTPUT_BYTES];
        random.fill(&mut nothing)?;
        let decoy = Stored::parse(&text(&fresh_salt(random)?, &nothing)).map_err(|_| unreadable())?;
        let queue = Arc::new(Queue::default());
        for number in 0..limits.hash_threads.clamp(1, 64) {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || work(&queue))
                .map_err(Error::internal)?;
        }
        Ok(Self { queue, pepper, decoy })
    }

    /// The stored form of a new password.
    ///
    /// # Errors
    /// `hash_busy`.
    pub(super) async fn hash(
        &self,
        random: &dyn Random,
        seat: Seat,
        password: &str,
    ) -> Result<String, Error> {
        let salt = fresh_salt(random)?;
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_BYTES)).map_err(Error::internal)?;
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let recipe = Recipe::Argon2 { algorithm, version, params, salt: salt.to_vec() };
        Ok(text(&salt, &self.run(seat, self.peppered(password), recipe, OUTPUT_BYTES).await?))
    }

    /// Whether the password belongs to the stored hash. Without one the work is the same and the answer no.
    ///
    /// # Errors
    /// `hash_busy`; `internal` for a stored text that cannot be read.
    pub(super) async fn verify(
        &self,
        seat: Seat,
        password: &str,
        stored: Option<&str>,
    ) -> Result<bool, Error> {
        let known = stored.map(Stored::parse).transpose().map_err(|_| unreadable())?;
        let stored = known.as_ref().unwrap_or(&self.decoy);
        let password = match stored.pepper.as_deref() {
            Some(PEPPER) => self.peppered(password),
            // From elsewhere, where it was hashed as it was typed.
            None => password.into(),
            Some(_) => return Err(unreadable()),
        };
        let output = self.run(seat, password, stored.recipe.clone(), stored.bytes()).await?;
        Ok(stored.fits(&output) && known.is_some())
    }

    /// How many hashes of strangers wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.state.lock().jobs.strangers()
    }

    /// Whether a stored hash was made in another way than today's.
    pub(super) fn outdated(&self, stored: &str) -> bool {
        !stored.starts_with(&numbers())
    }

    /// What is hashed in the place of a password: without the key, which is not in the database, a hash tells nothing.
    fn peppered(&self, password: &str) -> Vec<u8> {
        self.pepper.sign(password::normal(password).as_bytes())
    }

    async fn run(
        &self,
        seat: Seat,
        password: Vec<u8>,
        recipe: Recipe,
        bytes: usize,
    ) -> Result<Vec<u8>, Error> {
        let (answer, result) = oneshot::channel();
        // How long a job waits is a duration, not a time of day; the project's clock may be set back by a test.
        let queued = Instant::now();
        self.queue.push(seat, Job { password, recipe, bytes, queued, answer })?;
        result.await.map_err(|_| Error::internal("the hashing service is gone"))?
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.queue.state.lock().closed = true;
        self.queue.arrived.notify_all();
    }
}

impl Queue {
    fn push(&self, seat: Seat, job: Job) -> Result<(), Error> {
        self.state.lock().jobs.push(seat, job).map_err(|Full| busy())?;
        self.arrived.notify_one();
        Ok(())
    }

    /// The next job, or `None` when the service ends.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.jobs.next() {
                return Some(job);
            }
            self.arrived.wait(&mut state);
        }
    }
}

fn busy() -> Error {
    // Not a warning: a storm of sign-ins must not become a storm of log lines.
    tracing::debug!("password hashing is busy");
    Error::new(Code::HashBusy).retry_after_ms(limits::HASH_WAIT_MS)
}

fn work(queue: &Queue) {
    // Kept for the life of the thread: 19 MiB fresh from the system for each hash cost as much as the hash.
    let mut memory: Vec<Block> = Vec::new();
    while let Some(job) = queue.next() {
        if job.answer.is_closed() {
            continue;
        }
        let in_time = job.queued.elapsed() <= Duration::from_millis(limits::HASH_WAIT_MS);
        let result = match in_time {
            true => job.recipe.run(&job.password, job.bytes, &mut memory, MEMORY_KIB),
            false => Err(busy()),
        };
        // The request may have gone away meanwhile.
        let _ = job.answer.send(result);
    }
}

/// Whether a text from elsewhere can be stored and verified here.
///
/// # Errors
/// [`Unreadable`].
pub(super) fn importable(text: &str) -> Result<(), Unreadable> {
    match Stored::parse(text)?.pepper.as_deref() {
        None | Some(PEPPER) => Ok(()),
        Some(_) => Err(Unreadable::Unknown),
    }
}

fn unreadable() -> Error {
    Error::internal("a stored password hash is unreadable, too dear, or made with an unknown pepper")
}

/// The beginning of every text of today.
fn numbers() -> String {
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES},keyid={PEPPER}$")
}

fn text(salt: &[u8], output: &[u8]) -> String {
    format!("{}{}${}", numbers(), BASE64.encode(salt), BASE64.encode(output))
}

fn fresh_salt(random: &dyn Random) -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::ctx::SystemRandomness;
    use ring::rand::SystemRandom;

    type Answer = oneshot::Receiver<Result<Vec<u8>, Error>>;

    fn job(age: Duration) -> (Job, Answer) {
        let (answer, result) = oneshot::channel();
        let recipe = Stored::parse(&text(&[1; 16], &[2; 32]).replace("m=19456", "m=8")).unwrap().recipe;
        let queued = Instant::now().checked_sub(age).unwrap();
        (Job { password: b"x".to_vec(), recipe, bytes: OUTPUT_BYTES, queued, answer }, result)
    }

    fn seat(number: usize) -> Seat {
        Seat { network: number.to_string(), account: number.to_string(), known_device: false }
    }

    fn full() -> (Arc<Queue>, Vec<Answer>) {
        let queue = Arc::new(Queue::default());
        let push = |number| {
            let (job, answer) = job(Duration::ZERO);
            queue.push(seat(number), job).unwrap();
            answer
        };
        let answers = (0..limits::HASH_QUEUE_MAX).map(push).collect();
        (queue, answers)
    }

    #[test]
    fn a_full_queue_takes_no_more_even_when_the_requests_went_away() {
        let (queue, answers) = full();
        let refused = queue.push(seat(1000), job(Duration::ZERO).0).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_ms), (Code::HashBusy, Some(2000)));
        drop(answers);
        assert_eq!(queue.push(seat(1000), job(Duration::ZERO).0).unwrap_err().code, Code::HashBusy);
        // A thread that takes one makes room for one.
        assert!(queue.next().is_some());
        assert!(queue.push(seat(1000), job(Duration::ZERO).0).is_ok());
    }

    #[tokio::test]
    async fn a_job_that_waited_too_long_is_told_so_and_the_next_one_is_done() {
        let queue = Arc::new(Queue::default());
        let (late, late_answer) = job(Duration::from_millis(limits::HASH_WAIT_MS + 1));
        let (fresh, fresh_answer) = job(Duration::ZERO);
        queue.push(seat(1), late).unwrap();
        queue.push(seat(2), fresh).unwrap();
        let thread = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        assert_eq!(late_answer.await.unwrap().unwrap_err().code, Code::HashBusy);
        assert!(fresh_answer.await.unwrap().is_ok());
        queue.state.lock().closed = true;
        queue.arrived.notify_all();
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only_and_no_hash_fits_nothing() {
        let random = SystemRandomness(SystemRandom::new());
        let limits = Limits { hash_threads: 1, ..Limits::default() };
        let hashing = Hashing::start(&limits, Mac::new(&[1; 32]), &random).unwrap();
        let stored = hashing.hash(&random, Seat::server(), "correct").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1,keyid=cDE$"), "{stored}");
        assert_ne!(stored, hashing.hash(&random, Seat::server(), "correct").await.unwrap());
        assert!(hashing.verify(Seat::server(), "correct", Some(&stored)).await.unwrap());
        assert!(!hashing.verify(Seat::server(), "Correct", Some(&stored)).await.unwrap());
        assert!(!hashing.verify(Seat::server(), "correct", None).await.unwrap());
        assert!(!hashing.outdated(&stored));
        assert!(hashing.outdated(&stored.replace("t=2", "t=3")));
        // RFC 9106 names the costs; one that would stall the server is not computed.
        for (there, planted) in
            [("m=19456,t=2", "m=2000000,t=2"), ("m=19456,t=2", "m=19456,t=999"), ("cDE", "cDI")]
        {
            let planted = stored.replace(there, planted);
            let error = hashing.verify(Seat::server(), "correct", Some(&planted)).await.unwrap_err();
            assert_eq!(error.code, Code::Internal, "{planted}");
        }
    }

    #[tokio::test]
    async fn a_copied_database_alone_fits_no_password() {
        let random = SystemRandomness(SystemRandom::new());
        let limits = Limits { hash_threads: 1, ..Limits::default() };
        let start = |key| Hashing::start(&limits, Mac::new(&[key; 32]), &random).unwrap();
        let (own, foreign) = (start(1), start(2));
        let stored = own.hash(&random, Seat::server(), "correct").await.unwrap();
        assert!(!foreign.verify(Seat::server(), "correct", Some(&stored)).await.unwrap());
        // Nor without the key: the same hash read as one that had no pepper.
        let bare = stored.replace(",keyid=cDE", "");
        assert!(own.outdated(&bare) && !own.outdated(&stored));
        assert!(!own.verify(Seat::server(), "correct", Some(&bare)).await.unwrap());
        assert!(own.verify(Seat::server(), "correct", Some(&stored)).await.unwrap());
    }

    #[tokio::test]
    async fn at_11_a_password_is_the_same_from_every_keyboard_and_never_cut() {
        let random = SystemRandomness(SystemRandom::new());
        let limits = Limits { hash_threads: 1, ..Limits::default() };
        let hashing = Hashing::start(&limits, Mac::new(&[1; 32]), &random).unwrap();
        let long = format!("{} caf\u{e9}", "x".repeat(72));
        let stored = hashing.hash(&random, Seat::server(), &long).await.unwrap();
        let apart = long.replace('\u{e9}', "e\u{301}");
        for (password, fits) in [
            (long.as_str(), true),
            (apart.as_str(), true),
            (&long.replace('\u{e9}', "e"), false),
            (&format!("{long} "), false),
            (&"x".repeat(72), false),
        ] {
            assert_eq!(
                hashing.verify(Seat::server(), password, Some(&stored)).await.unwrap(),
                fits,
                "{password}"
            );
        }
    }
}
