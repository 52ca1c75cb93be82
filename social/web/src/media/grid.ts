/** Arrow keys in a grid of buttons. */

/** Which of the places one comes to with `key` from `at`; undefined where the key is none of a grid's. */
export function towards(key: string, at: number, count: number, columns: number): number | undefined {
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: count - 1 }[key];
  return to === undefined ? undefined : to < 0 || to >= count ? at : to;
}

/** Moves the focus among the buttons of `grid` that `selector` names. */
export function arrows(event: KeyboardEvent, grid: HTMLElement, selector: string): void {
  const places = [...grid.querySelectorAll<HTMLElement>(selector)];
  const at = places.indexOf(document.activeElement as HTMLElement);
  if (at < 0) return;
  const top = places[0]!.getBoundingClientRect().top;
  const columns = places.filter((each) => each.getBoundingClientRect().top === top).length;
  const to = towards(event.key, at, places.length, columns);
  if (to === undefined) return;
  event.preventDefault();
  places[to]!.focus();
}
