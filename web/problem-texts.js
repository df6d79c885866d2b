// Errors as texts for users. What only support needs is in the details.

import { ApiError, InternalError, UnavailableError } from "./errors.js";

/**
 * @param {Error} error
 * @returns {{text: string, details: string}} `details` is "" if there are none
 */
export function describeError(error) {
  if (error instanceof UnavailableError) {
    return { text: error.message, details: error.details };
  }
  if (error instanceof ApiError) {
    return { text: textOf(error), details: detailsOf(error.message, error.requestId) };
  }
  return { text: error.message, details: "" };
}

/** What support needs to find a request in the logs. */
export function detailsOf(message, requestId) {
  return requestId ? `${message} Request ID: ${requestId}` : message;
}

function textOf(error) {
  if (error.hasType("profile-too-large")) {
    return "Your profile is too long to be saved. Shorten a text or remove something.";
  }
  if (error instanceof InternalError) {
    return "Something went wrong in the service. Try again later.";
  }
  if (error.status === 403) {
    return "The service refused this request. You may lack the permission.";
  }
  return "The service could not do this.";
}
