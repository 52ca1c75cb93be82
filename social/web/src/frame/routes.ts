/** Which page an address names. Pure. */

export type Route =
  | { page: "home"; list: string | null; show: string | null }
  | { page: "setup" | "sign-in" | "join" | "password" | "accounts" | "media" | "settings" | "lost" }
  | { page: "connect"; platform: string; query: URLSearchParams }
  | { page: "compose"; id: string | null; query: URLSearchParams };

export function routeOf(path: string, query: URLSearchParams): Route {
  const [head = "", rest, more] = path.split("/").slice(1);
  if (more !== undefined) return { page: "lost" };
  if (head === "") return { page: "home", list: query.get("list"), show: query.get("show") };
  if (head === "compose") return { page: "compose", id: rest || null, query };
  if (head === "connect" && rest) return { page: "connect", platform: rest, query };
  if (rest === undefined && (head === "setup" || head === "sign-in" || head === "join" || head === "password" || head === "accounts" || head === "media" || head === "settings")) return { page: head };
  return { page: "lost" };
}
