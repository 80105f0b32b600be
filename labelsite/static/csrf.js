// The token that says a request comes from a page of ours. The cookie's is always the newest: a login in another tab
// changes it, and what a page opened before still holds is refused.
export function csrfToken() {
  return document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";
}
