"""The report's style sheet, on top of that of `course.page`."""

STYLE = """
:root { --m0: #0b6bb8; --m1: #0a8a63; --m2: #8f7400; --m3: #c0529a; --m4: #6f52c4; --m5: #7a828b;
  --doubt: #6b5d00; }
@media (prefers-color-scheme: dark) { :root { --m0: #5db4f2; --m1: #3fcf9e; --m2: #e0c341;
  --m3: #ee8fcb; --m4: #b39bff; --m5: #98a2ad; --doubt: #d3b93c; } }
body { max-width: 72rem; } h3 { font-size: 1.02rem; margin: 1.8rem 0 .3rem; }
p { margin: .4rem 0; max-width: 46rem; } header p { margin: 0; }
.caveat { border-left: .25rem solid var(--line); padding: .2rem 0 .2rem 1rem; margin: 1.4rem 0; }
.cards { display: grid; gap: .9rem; margin-top: 1rem; }
@media (min-width: 40rem) { .cards { grid-template-columns: 1fr 1fr; } }
@media (min-width: 70rem) { .cards { grid-template-columns: repeat(4, 1fr); } }
.cards article { background: var(--soft); border-radius: .5rem; padding: .9rem 1rem;
  border-top: .25rem solid var(--tone); font-size: .94rem; }
.cards h3 { margin: 0 0 .2rem; font-size: 1rem; }
.cards .dim { font-size: .86rem; }
.passes { --tone: var(--good); } .fails { --tone: var(--bad); } .cannot { --tone: var(--doubt); }
.mark { color: var(--tone); font-weight: 650; }
.controls { padding-left: 1.1rem; margin: 1rem 0 0; } .controls li { margin: .15rem 0; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: 1.2rem 2rem; }
.panels.wide { grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); }
figure { margin: 0; min-width: 0; max-width: 30rem; }
figcaption, caption { font-weight: 600; font-size: .92rem; text-align: left; }
caption { padding: 1.4rem 0 .3rem; }
figure svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg text.tick { fill: var(--dim); font-size: 11px; } svg text.own { font-weight: 700; }
.line { fill: none; stroke: var(--c); stroke-width: 1.6; }
.line.own { stroke-width: 3.2; } .dot { fill: var(--c); }
.own { --c: var(--ink); } .m0 { --c: var(--m0); } .m1 { --c: var(--m1); } .m2 { --c: var(--m2); }
.m3 { --c: var(--m3); } .m4 { --c: var(--m4); } .m5 { --c: var(--m5); }
.line.m1 { stroke-dasharray: 7 3; } .line.m2 { stroke-dasharray: 2 2.5; }
.line.m4 { stroke-dasharray: 9 3 2 3; } .line.m5 { stroke-dasharray: 4 4; }
.panels figure line.line { stroke-dasharray: none; }
.band { fill: var(--ink); opacity: .13; } .rule { stroke: var(--line); }
.half { stroke: var(--ink); stroke-dasharray: 3 3; }
.null { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 1 4; stroke-linecap: round; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0;
  margin: .6rem 0; font-size: .88rem; }
.legend svg { width: 28px; height: 8px; margin-right: .45rem; vertical-align: middle; }
table { font-size: .88rem; } tbody th { font-weight: 400; } th[colspan] { font-weight: 600; }
th { vertical-align: bottom; } .nulls > * { color: var(--bad); }
small { display: block; color: var(--dim); font-size: .78rem; white-space: nowrap; }
table.maps { table-layout: fixed; margin: .4rem 0; }
.maps th, .maps td { border: 0; padding: 2px; text-align: center; min-width: 0; }
.maps thead th { font-weight: 500; font-size: .8rem; overflow-wrap: anywhere; }
.maps th[colspan] { text-align: left; padding-top: .7rem; font-weight: 500; }
.maps img { display: block; width: 100%; image-rendering: pixelated; border-radius: 3px; }
dl.run { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dl.run dt { color: var(--dim); } dl.run dd { margin: 0; overflow-wrap: anywhere; }
.scroll:focus-visible { outline: 2px solid var(--m0); outline-offset: 2px; }
"""
