//! One path of the API: which methods it answers, and what it says to the others.
//!
//! Exists so that no path can forget its 405 and its `Allow` (RFC 9110 §15.5.6).

use crate::answer::Failure;
use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, Route, guard, web};
use stead_wire::Code;

/// A path and the methods it answers.
pub struct Door {
    resource: Resource,
    methods: Vec<&'static str>,
}

impl Door {
    /// A path that answers nothing yet.
    pub fn at(path: &str) -> Self {
        Self { resource: web::resource(path), methods: Vec::new() }
    }

    /// Answers GET, and HEAD with the same head.
    pub fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.methods.extend(["GET", "HEAD"]);
        let route = Route::new().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler);
        Self { resource: self.resource.route(route), ..self }
    }

    /// Answers GET alone, because it does something that looking ahead must not do.
    pub fn get_once<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::GET, "GET", handler)
    }

    /// Answers POST.
    pub fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, "POST", handler)
    }

    /// Answers PATCH.
    pub fn patch<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PATCH, "PATCH", handler)
    }

    /// Answers PUT.
    pub fn put<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PUT, "PUT", handler)
    }

    /// Answers DELETE.
    pub fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::DELETE, "DELETE", handler)
    }

    fn on<F, Args>(mut self, method: Method, name: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.methods.push(name);
        Self { resource: self.resource.route(web::method(method).to(handler)), ..self }
    }
}

impl HttpServiceFactory for Door {
    fn register(self, config: &mut AppService) {
        let allow = self.methods.join(", ");
        let refuse = move || {
            let mut failure = Failure::new(Code::MethodNotAllowed);
            failure.error.detail = Some(format!("This path answers {allow}."));
            failure.allow = Some(allow.clone());
            std::future::ready(Err::<HttpResponse, Failure>(failure))
        };
        self.resource.default_service(web::to(refuse)).register(config);
    }
}
