// The annotation page: opens tasks, passes keys and clicks on, and submits.
import { taskActions } from "./actions.js";
import { Busy } from "./busy.js";
import { startCalculator } from "./calculator.js";
import { listenForClicks } from "./clicks.js";
import { showCalculator, showHelp, toggleGuideline } from "./dialogs.js";
import { byId, counted } from "./elements.js";
import { FIELD_OF } from "./fields.js";
import { whole } from "./formulas.js";
import { listen } from "./keys.js";
import { NextTask, isHeld } from "./leases.js";
import { clear, find, startLightUp } from "./lightup.js";
import { Notices, tellFromLastPage, tellNextPage } from "./notices.js";
import { keepAddress } from "./place.js";
import { Saver, forget, unsentDraft } from "./saver.js";
import { Submission } from "./submission.js";
import { Timer } from "./timer.js";
import { Refused, Unreachable, address, post } from "./transport.js";
import { View } from "./view.js";
import { Work } from "./work.js";

const configuration = JSON.parse(byId("annotate-configuration").textContent);
const { words, urls } = configuration;
const view = new View(configuration);
const timer = new Timer();
const notices = new Notices(configuration);
const saver = new Saver(urls, { state: (name, seconds) => notices.state(name, seconds), stale: onStale, refused: onRefused, lost: onLost });
const submission = new Submission(urls, (name, seconds) => notices.state(name, seconds));
const next = new NextTask(urls);
const busy = new Busy();

const BUSY_SECONDS = 3;

let task = null; // {payload, work}: what is on the page
let resumed = null; // the task in hand while an earlier one is open again
let last = configuration.last; // {annotation, secondLook} of the last submission, also of one before this page was loaded
let isLost = false;
let busyTimer; // One alone, however often the page was told that there is no task at this moment.

async function open(received) {
  const payload = await whole(received);
  clear();
  isLost = false;
  task = null;
  if (payload.nothing) return nothing(payload.nothing);
  if (view.isOutdated(payload)) return reopen(payload);
  const unsent = unsentDraft(payload);
  show({ payload, work: new Work(unsent ? { ...payload, draft: unsent } : payload, configuration) });
  if (unsent) {
    saver.save(task);
    notices.passing(words.keptDraft);
  }
  if (!payload.annotation) next.prepare(payload.assignment);
}

/** Puts a task on the page from its beginning, or at the step in hand where it is begun: nobody rates out of sight. */
function show(opened) {
  clear();
  isLost = false;
  task = opened;
  keepAddress(urls, opened.payload);
  view.draw(task.work);
  notices.taskLeft();
  timer.begin(opened.payload);
  refresh(false);
  if (!opened.work.entries.size) scrollTo({ top: 0, behavior: "instant" });
}

/** Says why there is no task; where that lasts only a moment, asks again unless something was opened meanwhile. */
function nothing(found) {
  keepAddress(urls, null);
  view.nothing(found);
  notices.taskLeft();
  if (found.reason === "busy") askSoon();
}

function askSoon() {
  clearTimeout(busyTimer);
  busyTimer = setTimeout(() => {
    if (busy.is) askSoon();
    else if (!task) busy.during(advance);
  }, BUSY_SECONDS * 1000);
}

/** Loads the page anew, with the same task in it: the server holds the lease and the draft. */
async function reopen(payload) {
  await saver.settled();
  busy.set(false); // Nothing waits any more, so nothing asks whether to leave.
  location.replace(payload.annotation ? address(urls.edit, payload.annotation) : urls.page);
}

/** Shows and tells what changed, and moves nothing. */
function update() {
  view.update(task.work);
  notices.say(byId("state").textContent);
}

function refresh(isSaved = true) {
  update();
  view.reveal(task.work);
  if (isSaved) saver.save(task);
}

/** Makes a change that comes with each key in a field, and keeps it. */
function typed(change) {
  const before = byId("state").textContent;
  change(task.work);
  view.update(task.work);
  if (byId("state").textContent !== before) notices.say(byId("state").textContent);
  if (!busy.is) saver.saveSoon(task); // What is being submitted is past saving.
}

/** Adds the time since the last look to the task, and returns it for the step. */
function spend() {
  const lap = timer.lap();
  task.work.elapsed += lap;
  return lap;
}

async function submit(exit = null, reason = "") {
  if (isLost) return busy.during(advance);
  const missing = exit ? null : task.work.missing();
  if (missing) {
    notices.say(byId("state").textContent);
    if (missing[0] in FIELD_OF) byId(FIELD_OF[missing[0]]).focus();
    return undefined;
  }
  spend();
  busy.set(true);
  byId("submit").setAttribute("aria-busy", "true");
  saver.cancel(task);
  try {
    const answer = await submission.send(task.payload, task.work.judgement(exit, reason));
    forget(task.payload);
    last = { annotation: answer.annotation, secondLook: answer.second_look };
    notices.submitted(last);
    await advance();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    onRefused(task, error);
  } finally {
    busy.set(false);
    byId("submit").removeAttribute("aria-busy");
  }
  return undefined;
}

/**
 * Puts the task in hand back on the page, and tells what became of its draft meanwhile. It is the very same one: its
 * draft may still be on its way, and what the server says of it must find it.
 */
function resume() {
  const { isStale, refusal } = resumed;
  show(Object.assign(resumed, { isTold: false, isStale: false, refusal: null }));
  resumed = null;
  if (isStale) notices.passing(words.changedElsewhere);
  return refusal ? onRefused(task, refusal) : undefined;
}

/** Goes to the task in hand, the prepared one, or asks for one. */
async function advance() {
  saver.hurry();
  if (resumed) return resume();
  const ready = await next.take();
  if (ready) return open(ready);
  for (;;) {
    try {
      const received = await post(urls.next, {});
      saver.hurry();
      return open(received);
    } catch (error) {
      // What is submitted stays closed until somebody is logged in again.
      if (error instanceof Refused && error.status !== 401) return onRefused(task, error);
      await submission.wait(error);
    }
  }
}

async function undo() {
  if (task) spend();
  if (task?.work.undo()) {
    view.fields.fill(task.work);
    refresh();
    return notices.say(`${words.undone} ${byId("state").textContent}`);
  }
  if (!last || task?.payload.annotation) return notices.passing(words.nothingToUndo);
  busy.set(true); // A second key on a slow line would open the submission over itself.
  try {
    const payload = await post(address(urls.undo, last.annotation), {});
    resumed = task; // A draft of it that is not saved yet is saved meanwhile, or as soon as it can be.
    await open(payload);
    notices.passing(words.undone);
  } catch (error) {
    notices.toast(error instanceof Unreachable ? words.notUndone : error.message);
  } finally {
    busy.set(false);
  }
  return undefined;
}

function onStale(changed, answer) {
  if (changed !== task) {
    changed.work.follow(answer.draft);
    changed.isStale = true;
    return;
  }
  if (task.payload.annotation) task.payload.revision = answer.version;
  task.work.follow(answer.draft);
  notices.passing(words.changedElsewhere);
  clear();
  view.draw(task.work);
  refresh(false);
}

function onRefused(changed, error) {
  if (error.status === 401) notices.state("loggedOut");
  if (changed !== task) {
    // Nothing is saved: it is told when that task comes back.
    changed.refusal = error;
    return undefined;
  }
  if (error.status !== 401) saver.hurry();
  if (error.code === "stale_draft") return onStale(changed, error.answer);
  if (error.code === "protocol_changed") {
    saver.save(task);
    tellNextPage(error.message);
    return reopen(task.payload);
  }
  isLost = ["lease_lost", "already_submitted", "not_found", "closed"].includes(error.code);
  notices.toast(error.message);
  notices.say(error.message);
  if (error.code !== "no_reason") return undefined;
  // The campaign began to ask for a reason while this task was open.
  task.work.asksReason = true;
  return refresh(false);
}

/** Tells once that the task may be somebody else's now; while it is being submitted, the server's answer tells. */
function onLost(changed) {
  if (changed !== task || changed.isTold || busy.is) return;
  changed.isTold = true;
  notices.lost();
}

/** Leaves a task whose hold ended; its draft stays on the server. */
function leave() {
  notices.toast("");
  return busy.during(async () => {
    await saver.settled();
    await advance();
  });
}

function tellLit(term, count) {
  notices.say(counted(words.lit, { term, n: count }));
}

const mayNotWrite = () => { if (configuration.protocol === "every_option") notices.passing(words.mayNotWrite); };
const ACTIONS = taskActions({ work: () => task.work, spend, update, refresh, submit, mayNotWrite, typed }, configuration.protocol);
// These work without a task on the page too.
const ALWAYS = {
  undo,
  leave,
  let_stand: () => { forget(task.payload); leave(); },
  help: () => showHelp(configuration),
  find: () => find(tellLit),
  calculator: showCalculator,
  guideline: toggleGuideline,
  as_written: () => { clear(); view.texts.switch(); },
  escape: () => { clear(); byId("more").open = false; },
  second_look: () => { if (last?.secondLook) location.assign(address(urls.secondLook, last.annotation)); },
};

function act(action, id) {
  if (busy.is) return;
  notices.seen();
  if (ALWAYS[action]) ALWAYS[action]();
  else if (task && (!isLost || action === "submit")) ACTIONS[action]?.(id);
}

async function heartbeat() {
  const inHand = resumed ?? task;
  if (!inHand || inHand.payload.annotation || timer.isLeftAlone()) return;
  const held = await isHeld(urls, inHand.payload);
  if (!held) onLost(inHand);
  await next.keep(held ? inHand.payload.assignment : null);
}

listen(configuration.bindings, (action) => act(action));
listenForClicks(act);
byId("write-reached").addEventListener("change", (event) => { task.work.reached = event.target.checked; refresh(); });
view.fields.listen(typed);
addEventListener("beforeunload", (event) => { if (busy.is) event.preventDefault(); });
setInterval(heartbeat, configuration.heartbeatSeconds * 1000);
startCalculator(words);
startLightUp(tellLit);
notices.state("saved");
await open(JSON.parse(byId("annotate-task").textContent));
tellFromLastPage(notices);
document.body.dataset.ready = "yes";
