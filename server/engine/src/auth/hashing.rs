//! Password hashing on threads of its own: Argon2id (RFC 9106) with a bounded, fair queue.
//!
//! It must never run on the threads that answer requests, and a request that goes away must not free its place while
//! its hash is still being computed: the place belongs to the job.

use super::turns::{Full, Seat, Turns};
use crate::{Error, Limits, Random, limits};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
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
/// Dearest stored hash that is computed; more could only be planted to stall the server.
const STORED_MEMORY_KIB_MAX: u32 = 262_144;
const STORED_PASSES_MAX: u32 = 10;
const STORED_LANES_MAX: u32 = 8;

/// The service. Its threads end with it.
pub(super) struct Hashing {
    queue: Arc<Queue>,
    params: Params,
    /// A hash of nothing under the current parameters, so that an unknown user costs as much as a known one.
    decoy: PasswordHash,
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
    salt: Salt,
    params: Params,
    algorithm: Algorithm,
    queued: Instant,
    answer: oneshot::Sender<Result<Output, Error>>,
}

impl Hashing {
    pub(super) fn start(limits: &Limits, random: &dyn Random) -> Result<Self, Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_BYTES)).map_err(Error::internal)?;
        let mut output = [0; OUTPUT_BYTES];
        random.fill(&mut output)?;
        let decoy = phc(&params, fresh_salt(random)?, Output::new(&output).map_err(Error::internal)?)?;
        let queue = Arc::new(Queue::default());
        for number in 0..limits.hash_threads.clamp(1, 64) {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || work(&queue))
                .map_err(Error::internal)?;
        }
        Ok(Self { queue, params, decoy })
    }

    /// A PHC string for a new password.
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
        let output = self.run(seat, password, salt, self.params.clone(), Algorithm::Argon2id).await?;
        Ok(phc(&self.params, salt, output)?.to_string())
    }

    /// Whether the password belongs to the stored hash. Without one the work is the same and the answer no.
    ///
    /// # Errors
    /// `hash_busy`.
    pub(super) async fn verify(
        &self,
        seat: Seat,
        password: &str,
        stored: Option<&str>,
    ) -> Result<bool, Error> {
        let known = stored.map(readable).transpose()?;
        let decoyed = known.is_none();
        let (algorithm, params, salt, expected) = match known {
            Some(parts) => parts,
            None => parts(&self.decoy)?,
        };
        let output = self.run(seat, password, salt, params, algorithm).await?;
        // `Output` compares in constant time.
        Ok(output == expected && !decoyed)
    }

    /// Whether a stored hash was made with other parameters than today's.
    pub(super) fn outdated(&self, stored: &str) -> bool {
        let current = ParamsString::try_from(&self.params).ok();
        !PasswordHash::new(stored)
            .is_ok_and(|hash| hash.algorithm == ARGON2ID_IDENT && Some(hash.params) == current)
    }

    async fn run(
        &self,
        seat: Seat,
        password: &str,
        salt: Salt,
        params: Params,
        algorithm: Algorithm,
    ) -> Result<Output, Error> {
        let (answer, result) = oneshot::channel();
        // How long a job waits is a duration, not a time of day; the project's clock may be set back by a test.
        let queued = Instant::now();
        self.queue.push(seat, Job { password: password.into(), salt, params, algorithm, queued, answer })?;
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
        let result = if in_time { compute(&job, &mut memory) } else { Err(busy()) };
        // The request may have gone away meanwhile.
        let _ = job.answer.send(result);
    }
}

fn compute(job: &Job, memory: &mut Vec<Block>) -> Result<Output, Error> {
    let length = job.params.output_len().unwrap_or(OUTPUT_BYTES);
    let argon2 = Argon2::new(job.algorithm, Version::V0x13, job.params.clone());
    let blocks = job.params.block_count();
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..length).ok_or_else(|| Error::internal("a stored hash is too long"))?;
    if job.params.m_cost() > MEMORY_KIB {
        // An imported hash; its larger memory is given back.
        argon2.hash_password_into(&job.password, &job.salt, output).map_err(Error::internal)?;
    } else {
        memory.resize(blocks.max(memory.len()), Block::new());
        argon2
            .hash_password_into_with_memory(&job.password, &job.salt, output, &mut memory[..])
            .map_err(Error::internal)?;
    }
    Output::new(output).map_err(Error::internal)
}

type Parts = (Algorithm, Params, Salt, Output);

fn readable(stored: &str) -> Result<Parts, Error> {
    parts(&PasswordHash::new(stored).map_err(Error::internal)?)
}

fn parts(hash: &PasswordHash) -> Result<Parts, Error> {
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(Error::internal)?;
    let params = Params::try_from(hash).map_err(Error::internal)?;
    let dear = params.m_cost() > STORED_MEMORY_KIB_MAX
        || params.t_cost() > STORED_PASSES_MAX
        || params.p_cost() > STORED_LANES_MAX;
    match (hash.salt, hash.hash) {
        (Some(salt), Some(output)) if !dear => Ok((algorithm, params, salt, output)),
        _ => Err(Error::internal("a stored password hash is incomplete or too dear")),
    }
}

fn phc(params: &Params, salt: Salt, output: Output) -> Result<PasswordHash, Error> {
    Ok(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(Error::internal)?,
        salt: Some(salt),
        hash: Some(output),
    })
}

fn fresh_salt(random: &dyn Random) -> Result<Salt, Error> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Salt::new(&bytes).map_err(Error::internal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::ctx::SystemRandomness;
    use ring::rand::SystemRandom;

    type Answer = oneshot::Receiver<Result<Output, Error>>;

    fn job(age: Duration) -> (Job, Answer) {
        let (answer, result) = oneshot::channel();
        let params = Params::new(8, 1, 1, Some(OUTPUT_BYTES)).unwrap();
        let salt = Salt::new(b"sixteen bytes ok").unwrap();
        let queued = Instant::now().checked_sub(age).unwrap();
        (
            Job { password: b"x".to_vec(), salt, params, algorithm: Algorithm::Argon2id, queued, answer },
            result,
        )
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
        let hashing = Hashing::start(&limits, &random).unwrap();
        let stored = hashing.hash(&random, Seat::server(), "correct").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, hashing.hash(&random, Seat::server(), "correct").await.unwrap());
        assert!(hashing.verify(Seat::server(), "correct", Some(&stored)).await.unwrap());
        assert!(!hashing.verify(Seat::server(), "Correct", Some(&stored)).await.unwrap());
        assert!(!hashing.verify(Seat::server(), "correct", None).await.unwrap());
        assert!(!hashing.outdated(&stored));
        assert!(hashing.outdated(&stored.replace("t=2", "t=3")));
        // RFC 9106 names the costs; one that would stall the server is not computed.
        for dear in ["m=2000000,t=2", "m=19456,t=999"] {
            let planted = stored.replace("m=19456,t=2", dear);
            assert_eq!(
                hashing.verify(Seat::server(), "correct", Some(&planted)).await.unwrap_err().code,
                Code::Internal
            );
        }
    }
}
