//! A passkey on a device (Web Authentication, Level 3), which also answers what it should not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// The flags of authenticator data (§6.1).
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// A passkey that was made for somebody somewhere.
#[derive(Debug, Clone)]
pub struct Passkey {
    pkcs8: Vec<u8>,
    id: Vec<u8>,
    user_handle: Vec<u8>,
    counter: u32,
}

/// What a device says of one ceremony. Tests change it.
#[derive(Debug, Clone)]
pub struct Ceremony {
    /// `webauthn.create` or `webauthn.get`.
    pub kind: String,
    /// As the server wrote it.
    pub challenge: String,
    /// Of the page.
    pub origin: String,
    /// Whether the page was in a frame of another origin.
    pub cross_origin: bool,
    /// The domain that it is for.
    pub domain: String,
    /// Whether somebody touched the device.
    pub present: bool,
    /// Whether the device knew who that was.
    pub verified: bool,
    /// How often it was used; 0 for those that do not count.
    pub counter: u32,
    /// Whose it says it is.
    pub user_handle: Vec<u8>,
}

impl Passkey {
    /// Makes one for what the server asks for, on a page of `origin`; what the page sends.
    pub fn make(options: &Value, origin: &str) -> (Self, Value) {
        let (passkey, ceremony) = Self::begin(options, origin);
        let answer = passkey.attest(&ceremony);
        (passkey, answer)
    }

    /// The same, before the device says so.
    pub fn begin(options: &Value, origin: &str) -> (Self, Ceremony) {
        let random = SystemRandom::new();
        let mut id = vec![0; 32];
        random.fill(&mut id).unwrap();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let user_handle = BASE64.decode(options["user"]["id"].as_str().unwrap()).unwrap();
        let passkey =
            Self { pkcs8: pkcs8.as_ref().to_vec(), id, user_handle: user_handle.clone(), counter: 0 };
        let ceremony = Ceremony {
            domain: options["rp"]["id"].as_str().unwrap().to_owned(),
            user_handle,
            ..Ceremony::of("webauthn.create", options, origin)
        };
        (passkey, ceremony)
    }

    /// Its id, as texts have it.
    pub fn id(&self) -> String {
        BASE64.encode(&self.id)
    }

    /// Signs what the server asks for; what the page sends.
    pub fn sign(&mut self, options: &Value, origin: &str) -> Value {
        let ceremony = self.ceremony(options, origin);
        self.assert(&ceremony)
    }

    /// The same, before the device says so.
    pub fn ceremony(&mut self, options: &Value, origin: &str) -> Ceremony {
        self.counter += 1;
        Ceremony {
            domain: options["rpId"].as_str().unwrap().to_owned(),
            counter: self.counter,
            user_handle: self.user_handle.clone(),
            ..Ceremony::of("webauthn.get", options, origin)
        }
    }

    /// What the page sends of a registration (§7.1).
    pub fn attest(&self, ceremony: &Ceremony) -> Value {
        let mut data = ceremony.authenticator_data(ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        let key = self.key();
        let point = &key.public_key().as_ref()[1..];
        // EC2, ES256, P-256 (RFC 9053 §2.1, §7.1).
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[..32]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[32..]);
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x59");
        object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend(data);
        let response = json!({
            "attestationObject": BASE64.encode(object),
            "clientDataJSON": BASE64.encode(ceremony.client_data()),
        });
        json!({ "id": self.id(), "rawId": self.id(), "type": "public-key", "response": response })
    }

    /// What the page sends of a sign-in (§7.2).
    pub fn assert(&self, ceremony: &Ceremony) -> Value {
        let data = ceremony.authenticator_data(0);
        let client_data = ceremony.client_data();
        let signed = [&data[..], digest(&SHA256, &client_data).as_ref()].concat();
        let signature = self.key().sign(&SystemRandom::new(), &signed).unwrap();
        let response = json!({
            "authenticatorData": BASE64.encode(&data),
            "clientDataJSON": BASE64.encode(&client_data),
            "signature": BASE64.encode(signature.as_ref()),
            "userHandle": BASE64.encode(&ceremony.user_handle),
        });
        json!({ "id": self.id(), "rawId": self.id(), "type": "public-key", "response": response })
    }

    fn key(&self) -> EcdsaKeyPair {
        let random = SystemRandom::new();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8, &random).unwrap()
    }
}

impl Ceremony {
    fn of(kind: &str, options: &Value, origin: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            challenge: options["challenge"].as_str().unwrap().to_owned(),
            origin: origin.to_owned(),
            cross_origin: false,
            domain: String::new(),
            present: true,
            verified: true,
            counter: 0,
            user_handle: Vec::new(),
        }
    }

    fn client_data(&self) -> Vec<u8> {
        let said = json!({
            "type": self.kind,
            "challenge": self.challenge,
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        });
        said.to_string().into_bytes()
    }

    fn authenticator_data(&self, more: u8) -> Vec<u8> {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let mut data = digest(&SHA256, self.domain.as_bytes()).as_ref().to_vec();
        data.push(flag(self.present, PRESENT) | flag(self.verified, VERIFIED) | more);
        data.extend(self.counter.to_be_bytes());
        data
    }
}
