// The errors of this page's modules, by what the user can do about them.
//
// Error
// ├── ValidationError         correct the profile data
// ├── SessionEndedError       sign in again
// ├── UnavailableError        try again later
// │   └── IncompleteDeletionError  delete the account again
// └── ApiError                read the message
//     ├── ConflictError       compare with the saved profile
//     ├── SignInTooOldError   sign in again, then delete the account
//     ├── AccountErasedError  sign up again
//     └── InternalError       report the request ID

/**
 * The profile data is not valid: the API returned 422, or the page detected the error.
 */
export class ValidationError extends Error {
  /**
   * @param {{pointer: string, detail: string}[]} errors one entry for each violation, as in
   *   the API's 422 response. `pointer` is a JSON Pointer (RFC 6901) into the profile data.
   */
  constructor(errors) {
    super("The profile is not valid.");
    this.errors = errors;
  }
}

/** Nobody is signed in, or the session has expired and could not be refreshed. */
export class SessionEndedError extends Error {}

/** The network, the API or the sign-in service does not respond. A later attempt may succeed. */
export class UnavailableError extends Error {
  /**
   * @param {string} message
   * @param {ErrorOptions & {details?: string}} [options] `details` are for support
   */
  constructor(message, { details = "", ...options } = {}) {
    super(message, options);
    this.details = details;
  }
}

/**
 * The page cannot know whether the account and all of its data were deleted. Repeating the deletion
 * finishes it.
 */
export class IncompleteDeletionError extends UnavailableError {}

/** The API refused a request. The message is the `detail` of its problem document (RFC 9457). */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {object} response
   * @param {number} response.status the HTTP status
   * @param {string} [response.type] the problem's type. Errors of API Gateway itself have none.
   * @param {string} [response.requestId]
   */
  constructor(message, { status, type, requestId }) {
    super(message);
    this.status = status;
    this.type = type;
    this.requestId = requestId;
  }

  /** Whether the problem has a type, which is the last part of its URN. */
  hasType(type) {
    return this.type?.endsWith(`:${type}`) ?? false;
  }
}

/** 412: the profile does not meet the request's precondition. */
export class ConflictError extends ApiError {}

/** 401: deleting the account needs a more recent sign-in. */
export class SignInTooOldError extends ApiError {}

/** 410: the account was deleted, in this tab or elsewhere. */
export class AccountErasedError extends ApiError {}

/** 500: the API failed. It may have carried out a part of the request. */
export class InternalError extends ApiError {}
