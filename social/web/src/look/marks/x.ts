export default { colour: "#0f1419", path: "M7 6.5l10 11M17 6.5l-10 11" };
