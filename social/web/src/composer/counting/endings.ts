/** How names of hosts end: every country's, and of the others those that people use most. */

const COUNTRIES = `
  ac ad ae af ag al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg
  ch ci ck cl cm cn cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fo fr ga gd ge gf gg gh gi gl
  gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky
  kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng
  ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm
  sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf
  ws ye yt za zm zw
`;

const OTHERS = `
  academy agency ai app art bar beer bike biz blog cafe center chat city cloud club co coffee com community company
  consulting cool dev digital edu email energy events expert express farm fashion fit fm fun fund fyi gallery games
  garden gay gov green group guide guru health help host house info ink institute int international io jobs land law
  legal life link live lol love market marketing media mil mobi money movie museum name net network news ninja one
  online org page partners party photo photography photos pink pizza plus poker press pro productions pub radio red
  rentals report rest restaurant rocks run sale school science services shop show site social software solutions space
  store stream studio style support systems team tech theater tips today tools top tours town toys training travel
  tube tv university video vip vision watch website wedding wiki win wine work works world wtf xyz yoga zone
`;

export const ENDINGS = `${COUNTRIES} ${OTHERS}`.trim().split(/\s+/);
